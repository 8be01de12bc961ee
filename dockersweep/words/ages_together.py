"""Ages of several objects as one phrase: what they have in common, and the range of their lengths."""

from collections.abc import Sequence

from dockersweep.model.age_reasons import Aged
from dockersweep.units import format_duration
from dockersweep.words.ages import asked_text, made_by_hand_text, since_phrase


def alike_ages(about: Aged) -> tuple[object, ...]:
    """Return the key of ages that can share one phrase: everything except their length and who used the object."""
    return (
        since_phrase(about),
        about.limit,
        about.date,
        about.is_reached,
        about.setting,
        about.made_by_hand,
        about.only_copy_of is not None,
        tuple(map(alike_ages, about.also)),
    )


def ages_text(abouts: Sequence[Aged]) -> str:
    """Return the phrase for ages with one key: "stopped 3 to 30 days ago (limit 24 hours)"."""
    rows = zip(*((about, *about.also) for about in abouts), strict=True)
    is_only_copy = "; the only copy of what containers wrote" if abouts[0].only_copy_of else ""
    return f"{', '.join(map(_one_row, rows))}{is_only_copy}"


def _one_row(abouts: Sequence[Aged]) -> str:
    about = abouts[0]
    lengths = _lengths([age.seconds for age in abouts])
    noted = ", ".join(note for note in (asked_text(about), about.setting) if note)
    return f"{made_by_hand_text(about)}{since_phrase(about) % lengths}{f' ({noted})' if noted else ''}"


def _lengths(seconds: Sequence[int]) -> str:
    shortest, longest = format_duration(min(seconds)), format_duration(max(seconds))
    if shortest == longest:
        return shortest
    number, _, unit = shortest.partition(" ")
    return f"{number if longest.endswith(f' {unit}') else shortest} to {longest}"

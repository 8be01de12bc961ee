"""The conditions of a rule in words, one row each: what a condition selects, and why an object does not match it.

Their tests are the rows of `policy.language.conditions`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from dockersweep.model.policy import Match
from dockersweep.model.reason import Doubt, NotMatched, Restart
from dockersweep.units import format_size


class _Phrases(NamedTuple):
    selects: Callable[[Any], str]
    """Wanted value -> the matching objects, as a phrase after their kinds: "named web-*"."""
    not_matched: Callable[[NotMatched], str]
    """Why an object does not match."""
    unknown: str | None = None
    """Why a rule does not remove an object for which the answer is not known."""


def selected(match: Match) -> Iterator[str]:
    """Yield the phrase of each condition that is set, to follow the kinds of a rule: "named web-*"."""
    for field in Match.__struct_fields__:
        wanted = getattr(match, field)
        if wanted is not None:
            yield _CONDITIONS[field.removesuffix("_bytes")].selects(wanted)


def not_matched_text(about: NotMatched) -> str:
    """Return why an object does not match a condition: "tagged (add --all-images to include)"."""
    phrases = _CONDITIONS.get(about.condition)
    # A document of a newer version may have conditions that this one does not know.
    text = _matches_none(about) if phrases is None else phrases.not_matched(about)
    return f"{text}{_flag(about)}"


def because_not_matched(about: NotMatched) -> str:
    """Return the same to follow "because": "it is tagged (add --all-images to include)"."""
    text = not_matched_text(about)
    if text.startswith(("it ", "its ", "no ", "a file ")):
        return text
    return f"it {'' if text.startswith(('restarts ', 'does ')) else 'is '}{text}"


def counted_not_matched(about: NotMatched) -> str:
    """Return why several objects do not match, to follow their number: "whose name does not match web-*". What would
    read there as if it kept them is left out; options of a mount are said, because the data may be elsewhere."""
    if about.flag is not None or about.condition == "has_options":
        return not_matched_text(about)
    phrases = _CONDITIONS.get(about.condition)
    is_of_name = phrases is None or phrases.not_matched is _matches_none
    return f"whose {about.condition} does not match {_wanted(about)}" if is_of_name else "that no rule matches"


def doubt_text(about: Doubt) -> str:
    """Return why it is not known whether a rule matches an object."""
    text = f"it is not known whether not.{about.condition} excludes it"
    if not about.excludes:
        phrases = _CONDITIONS.get(about.condition)
        known = None if phrases is None else phrases.unknown
        text = f"it is not known whether {about.condition} matches it" if known is None else known
    return f"in doubt: {text}" if about.keeps else text


def restart_text(restart: Restart) -> str:
    """Return the restart policy of a stopped container; with `on-failure` also the exit code, which decides."""
    if restart.policy is None:
        return "of unknown restart policy"
    if restart.restarts is False:
        return "does not restart by itself"
    if restart.policy == "unless-stopped":
        # No engine reports whether somebody stopped it.
        return "its restart policy is unless-stopped (stays down if stopped by hand)"
    if restart.policy != "on-failure":
        return f"restarts by itself ({restart.policy})"
    if restart.restarts is None:
        return "it is not known whether it restarts by itself (on-failure)"
    return f"restarts by itself (on-failure, exit code {restart.exit_code})"


def _any_of(phrase: str) -> Callable[[Iterable[object]], str]:
    return lambda wanted: phrase.format(_either(wanted))


def _whether(holds: str, holds_not: str) -> Callable[[bool], str]:
    return lambda wanted: holds if wanted else holds_not


def _either(wanted: Iterable[object]) -> str:
    return " or ".join(map(str, wanted))


def _wanted(about: NotMatched) -> str:
    return _either(about.wanted) if isinstance(about.wanted, tuple) else str(about.wanted)


def _size(about: NotMatched) -> str:
    return format_size(about.wanted) if isinstance(about.wanted, int) else _wanted(about)


def _matches_none(about: NotMatched) -> str:
    return f"its {about.condition} does not match {_wanted(about)}"


def _flag(about: NotMatched) -> str:
    return "" if about.flag is None else f" (add {about.flag} to include)"


def _lacks(phrase: str) -> Callable[[NotMatched], str]:
    return lambda about: phrase.format(_wanted(about))


def _opposite(holds: str, holds_not: str) -> Callable[[NotMatched], str]:
    return lambda about: holds_not if about.wanted else holds


_CONDITIONS: Mapping[str, _Phrases] = {
    "name": _Phrases(_any_of("named {}"), _matches_none),
    "repository": _Phrases(_any_of("of the repository {}"), _matches_none),
    "tag": _Phrases(_any_of("with the tag {}"), _matches_none),
    "digest": _Phrases(_any_of("of the digest {}"), _matches_none),
    "labels": _Phrases(_any_of("with the label {}"), _lacks("it has no label {}")),
    "project": _Phrases(
        lambda wanted: (
            "of a compose project" if tuple(wanted) == ("*",) else f"of the compose project {_either(wanted)}"
        ),
        lambda about: (
            "it belongs to no compose project" if about.has is None else f"it belongs to the project {about.has}"
        ),
        unknown="its project label may be inherited from an image",
    ),
    "service": _Phrases(
        _any_of("used by the service {}"),
        _lacks("no service {} uses it"),
        unknown="the services of the swarm cannot be seen",
    ),
    "declared": _Phrases(
        _whether("that a file declares", "that no file declares"),
        _opposite("a file declares it", "no file declares it"),
        unknown="no file was read that could declare it",
    ),
    "state": _Phrases(_any_of("that are {}"), lambda about: f"it is {about.has}"),
    "exit_code": _Phrases(
        _any_of("that ended with {}"),
        lambda about: f"its exit code is {'unknown' if about.has is None else about.has}",
    ),
    "driver": _Phrases(
        _any_of("of the driver {}"),
        lambda about: f"of the driver {about.has or 'unknown'}, which others may use",
    ),
    "options": _Phrases(_any_of("with the mount option {}"), _lacks("it has no mount option {}")),
    "type": _Phrases(_any_of("of the type {}"), _matches_none),
    "size_over": _Phrases(
        lambda wanted: f"larger than {format_size(wanted)}",
        lambda about: f"its size is not over {_size(about)}, or not known",
    ),
    "size_under": _Phrases(
        lambda wanted: f"smaller than {format_size(wanted)}",
        lambda about: f"its size is not under {_size(about)}, or not known",
    ),
    "anonymous": _Phrases(_whether("that are anonymous", "that have a name"), _opposite("anonymous", "named")),
    "has_options": _Phrases(
        _whether("with mount options", "without mount options"),
        _opposite("with mount options (its data may be elsewhere)", "without mount options"),
    ),
    "tagged": _Phrases(_whether("with a tag", "without a tag"), _opposite("tagged", "without a tag")),
    "recoverable": _Phrases(
        _whether("that can be pulled again", "that cannot be pulled again"),
        _opposite("it can be pulled again", "it exists only here"),
        unknown="nothing tells whether it can be pulled again",
    ),
    "restarts_by_itself": _Phrases(
        _whether("that restart by themselves", "that do not restart by themselves"),
        lambda about: restart_text(about.restart or Restart()),
    ),
}
assert set(_CONDITIONS) == {field.removesuffix("_bytes") for field in Match.__struct_fields__}, "each needs its words"

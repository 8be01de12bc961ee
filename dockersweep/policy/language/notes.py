"""What a policy file does that its reader may not expect, though nothing is wrong with it."""

from collections.abc import Iterator

from dockersweep.policy.language.reading import PolicyReading


def notes_on(reading: PolicyReading) -> Iterator[str]:
    """Yield a note on each, of a valid policy file."""
    policy = reading.valid_policy()
    target = policy.target
    if target is None:
        return
    if not policy.rules:
        yield (
            "target: there is no [[rule]], so nothing but the target removes anything: stopped containers stay, and "
            "hold their images; `dockersweep policy init` writes the rules of the default policy"
        )
    written = reading.tables.get("target")
    is_chosen = isinstance(written, dict) and "spare_registry_less" in written
    if "image" in target.order and policy.archive is None and not is_chosen:
        yield (
            "target: it may remove images that exist only here, and nothing brings these back: set spare_registry_less "
            "(false to accept that), or add [archive]"
        )

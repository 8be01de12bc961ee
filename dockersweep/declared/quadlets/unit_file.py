"""systemd unit files: sections with keys that may appear several times."""

from collections.abc import Iterable

from dockersweep.declared.faults import fault

Entry = tuple[str, int, str]
"""A value, its line, and its file."""
Unit = dict[tuple[str, str], list[Entry]]
"""(section, key) -> values in order; an empty value removes those before it."""


def read_unit(data: bytes, path: str) -> list[tuple[str, str, Entry]]:
    """Return section, key and value of each assignment. Raises DeclaredFileError, with the line, for anything else."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise fault(path, None, "not UTF-8") from None
    assignments: list[tuple[str, str, Entry]] = []
    section = ""
    pending, begin = "", 0
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        # A comment may stand between the lines of one value.
        if line.startswith(("#", ";")) or (not line and not pending):
            continue
        begin = begin or number
        if line.endswith("\\"):
            pending += line[:-1] + " "
            continue
        whole, at = (pending + line).strip(), begin
        pending, begin = "", 0
        if not whole:
            continue
        if whole.startswith("["):
            if not whole.endswith("]"):
                raise fault(path, at, "expected a section like [Container]")
            section = whole[1:-1]
            continue
        key, equals, value = whole.partition("=")
        if not equals or not section:
            raise fault(path, at, "expected KEY=VALUE in a section")
        assignments.append((section, key.strip(), (value.strip(), at, path)))
    return assignments


def together(parts: Iterable[list[tuple[str, str, Entry]]]) -> Unit:
    """Merge a unit with its drop-ins, given in the order in which they apply."""
    unit: Unit = {}
    for part in parts:
        for section, key, entry in part:
            if entry[0]:
                unit.setdefault((section, key), []).append(entry)
            else:
                unit[section, key] = []
    return unit

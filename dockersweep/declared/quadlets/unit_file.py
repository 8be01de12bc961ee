"""Unit files of systemd, as quadlets are written in them: sections with keys that may stand several times."""

from collections.abc import Iterable

from dockersweep.declared.faults import fault

Entry = tuple[str, int, str]
"""A value, the line it stands in, and the file."""
Unit = dict[tuple[str, str], list[Entry]]
"""Section and key -> values, the later ones last; an empty value takes back those before it."""


def read_unit(data: bytes, path: str) -> list[tuple[str, str, Entry]]:
    """Return section, key and value of each assignment. Raises DeclaredFileError with the line where there is none."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise fault(path, None, "not UTF-8") from None
    found: list[tuple[str, str, Entry]] = []
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
        found.append((section, key.strip(), (value.strip(), at, path)))
    return found


def together(parts: Iterable[list[tuple[str, str, Entry]]]) -> Unit:
    """Return a unit with its drop-ins, in the order in which they count."""
    unit: Unit = {}
    for part in parts:
        for section, key, entry in part:
            if entry[0]:
                unit.setdefault((section, key), []).append(entry)
            else:
                unit[section, key] = []
    return unit

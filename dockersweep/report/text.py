"""Text that is safe for a terminal and fits its width.

Names, labels and messages come from engines and so from anybody: control characters, and marks that change the writing
direction, are replaced by their codes.
"""

import unicodedata

INDENT = "  "
"""Of the lines of a paragraph after its first."""
_SHOWN_AS = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def printable(text: str) -> str:
    """Return the text with every control, format and line-end character replaced by its code."""
    # Python's printable text has no character of the categories below, and of the spaces only the ASCII one.
    if text.isprintable():
        return text
    return "".join(_printable_character(character) for character in text)


def _printable_character(character: str) -> str:
    # Cc and Cf: controls and direction marks; Cs: surrogates; Co: private; Cn: unassigned; Zl and Zp: line ends.
    if unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"):
        return character
    if character in _SHOWN_AS:
        return _SHOWN_AS[character]
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def capital(text: str) -> str:
    """Return the text with its first letter in upper case."""
    return text[:1].upper() + text[1:]


def display_width(text: str) -> int:
    """Return how many columns printable text takes on a terminal."""
    if text.isascii():
        return len(text)
    # Imported late: its tables load slowly, and most output is ASCII.
    from wcwidth import wcswidth

    return max(0, wcswidth(text))


def shorten_middle(text: str, width: int) -> str:
    """Return the text in at most `width` columns: its start and its end, which tell names apart, with "…" between."""
    # No character takes more than two columns.
    if 2 * len(text) <= width or display_width(text) <= width:
        return text
    if width <= 1:
        return "…"[:width]
    head = _cut(text, (width - 1) - (width - 1) // 2)
    tail = _cut(text[::-1], (width - 1) // 2)[::-1]
    return f"{head}…{tail}"


def shorten_end(text: str, width: int) -> str:
    """Return the text in at most `width` columns, with "…" in place of what its end has more."""
    if 2 * len(text) <= width or display_width(text) <= width:
        return text
    return f"{_cut(text, width - 1)}…" if width >= 1 else ""


def _cut(text: str, width: int) -> str:
    taken, used = [], 0
    for character in text:
        used += display_width(character)
        if used > width:
            break
        taken.append(character)
    return "".join(taken)


def cut_between_parts(text: str, width: int) -> str:
    """Return the text in at most `width` columns, cut at a comma or a semicolon; "…" stands for what it lost. Empty
    where not even its first part has room."""
    if display_width(text) <= width:
        return text
    ends = [place for place, character in enumerate(text) if character in ",;" and text[place + 1 : place + 2] == " "]
    shortened = (f"{text[:end]} …" for end in reversed(ends))
    return next((candidate for candidate in shortened if display_width(candidate) <= width), "")


def wrap(text: str, width: int, *, shortens: bool = True) -> list[str]:
    """Return the text in lines of at most `width` columns, broken between words. A longer word is shortened, or without
    `shortens` gets a line of its own."""
    lines: list[str] = []
    for word in text.split(" "):
        joined = f"{lines[-1]} {word}" if lines else word
        if lines and display_width(joined) <= width:
            lines[-1] = joined
        else:
            lines.append(shorten_middle(word, width) if shortens else word)
    return lines or [""]


def fold(text: str, width: int | None, indent: int = 0, *, shortens: bool = True) -> str:
    """Return a paragraph, made printable, with a closing newline, in at most `width` columns; None is no limit. Longer
    words are treated as in `wrap`."""
    clean = printable(text)
    lines = [clean] if width is None else wrap(clean, width - indent, shortens=shortens)
    return "".join(f"{' ' * indent}{line}\n" for line in lines)


def fold_hanging(clean: str, width: int | None) -> str:
    """Return a paragraph of printable text, with a closing newline, all of its lines but the first indented."""
    if width is None:
        return f"{clean}\n"
    first = wrap(clean, width)[0]
    words = clean.split(" ")[len(first.split(" ")) :]
    rest = wrap(" ".join(words), width - len(INDENT)) if words else []
    return "".join(f"{line}\n" for line in (first, *(f"{INDENT}{line}" for line in rest)))

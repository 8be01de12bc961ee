"""Bars of block characters for terminals: used is full, unused is light, so no color is needed."""

FULL, LIGHT = "█", "▒"


def bar(whole: int, used: int, unused: int, width: int) -> str:
    """Return a bar of used and unused parts; `whole` would fill all `width` columns.

    Any size over 0 has at least one cell.
    """
    if whole <= 0 or width <= 0:
        return ""
    total = _cells(used + unused, whole, width)
    light = total if not used else min(total - 1, round(total * unused / (used + unused)))
    return FULL * (total - light) + LIGHT * light


def _cells(size: int, whole: int, width: int) -> int:
    return min(width, max(1, round(width * size / whole))) if size > 0 else 0

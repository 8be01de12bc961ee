"""A watcher tells each warning of its sweeps once a day."""

from dockersweep.model.inventory import ScanWarning
from dockersweep.policy.watching.repeated_notices import REPEAT_SECONDS
from dockersweep.policy.watching.repeated_warnings import MOST_KNOWN, WarningNotices

LABELS = ScanWarning(about="protect.labels", text="keep matches nothing here")
ROOM = ScanWarning(about="archive", text="it has room for 4.06 MB")


def test_each_is_told_once_a_day_and_whatever_its_figures_are() -> None:
    notices = WarningNotices()
    assert list(notices.to_tell((LABELS, ROOM, LABELS), 0.0)) == [LABELS, ROOM]
    other = ScanWarning(about="archive", text="it has room for 12 MB")
    assert list(notices.to_tell((other,), 600.0)) == []
    # One that a sweep did not have in between is not new.
    assert list(notices.to_tell((LABELS, other), REPEAT_SECONDS - 1)) == []
    assert list(notices.to_tell((LABELS, other), REPEAT_SECONDS)) == [LABELS, other]
    assert list(notices.to_tell((LABELS, other), REPEAT_SECONDS + 1)) == []


def test_the_same_text_about_something_else_is_another_one() -> None:
    notices = WarningNotices()
    assert len(list(notices.to_tell((LABELS, ScanWarning(about="rule", text=LABELS.text)), 0.0))) == 2


def test_it_keeps_no_more_than_so_many() -> None:
    notices = WarningNotices()
    many = [ScanWarning(about="x", text="a" * number) for number in range(MOST_KNOWN + 10)]
    assert len(list(notices.to_tell(many, 0.0))) == len(many)
    assert len(notices._told) == MOST_KNOWN

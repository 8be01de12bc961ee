"""What a report says of one of several disks."""

import pytest

from dockersweep.model.disk import Disk
from dockersweep.model.plan import NOTHING, Interval, exactly
from dockersweep.model.report import ReportedDisk
from dockersweep.report.disk.disks import contents_sentence

SRV = Disk(
    total_bytes=10**9, free_bytes=10**8, total_inodes=None, free_inodes=None, used_bytes=9 * 10**8, mount_point="/srv"
)


@pytest.mark.parametrize(
    ("reclaimable", "ending"),
    [
        (None, "remainder 2.00 MB."),
        (NOTHING, "remainder 2.00 MB."),
        (exactly(10**6), "remainder 2.00 MB; 1.00 MB of that would be freed."),
        (Interval(low_bytes=0, high_bytes=None), "remainder 2.00 MB; an unknown part of that would be freed."),
    ],
)
def test_what_would_go_is_told_where_anything_may(reclaimable: Interval | None, ending: str) -> None:
    row = ReportedDisk(
        disk=SRV,
        share="disk",
        kinds=(),
        folder_bytes=2_000_000,
        folder_is_whole=True,
        remainder_bytes=2_000_000,
        filling=None,
        reclaimable=reclaimable,
    )
    assert contents_sentence(row) == f"/srv holds 2.00 MB of the engine's: {ending}"

"""What became of the removals of a run that did not end: whether each object is there, as a value and in words."""

from msgspec.structs import replace

from dockersweep.model.history import InHand, UnfinishedRun
from dockersweep.policy.planning.unfinished_runs import settled, unfinished_warnings
from tests.rig.inventories import NOW, image, inventory, volume

RUN = UnfinishedRun(
    number=3,
    pid=7,
    started_at=NOW,
    in_hand=(
        InHand(kind="volume", id="there", name="there", action="remove"),
        InHand(kind="volume", id="gone", name="gone", action="remove"),
        InHand(kind="image", id="sha256:a", name="app:1", action="untag"),
        InHand(kind="image", id="sha256:a", name="app:2", action="untag"),
        InHand(kind="build-cache", id="record", name="record", action="remove"),
    ),
)


def test_what_became_of_each_is_told_by_what_is_there_now() -> None:
    now = replace(inventory(volume("there"), image("a", "app:2")), build_cache=None)
    outcomes = settled(RUN, now)
    assert [(one.status, one.is_there) for one in outcomes] == [
        ("failed", True),
        ("removed", False),
        ("removed", False),
        ("failed", True),
        ("failed", None),
    ]
    [warning] = unfinished_warnings([(RUN, outcomes)])
    assert [part.rpartition(" was in hand, and ")[2] for part in warning.text.split("; ")[1:]] == [
        "is still there",
        "is gone",
        "is gone",
        "is still there",
        "nothing tells what became of it",
    ]

"""Objects are found by their places, and what is written and counted of instants is what Python says of them."""

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from dockersweep.model.fingerprint import fingerprint_of
from dockersweep.model.inventory import ObjectRef
from dockersweep.model.listed import Listing
from dockersweep.policy.judging.ages import Since
from tests.rig.inventories import NOW, container, inventory, record, volume

ZONES = st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))])
INSTANTS = st.datetimes(min_value=datetime(1981, 1, 1), timezones=ZONES)  # noqa: DTZ001 - the zones are drawn


def test_each_object_has_its_place_among_its_kind() -> None:
    listing = Listing(inventory(container("a"), volume("v"), volume("w")))
    assert listing.of_kind("volume").places == {"v": 0, "w": 1}
    assert listing.place(ObjectRef(kind="volume", id="w")) == 1
    assert listing.place(ObjectRef(kind="volume", id="a")) is None


def test_of_two_objects_with_one_id_the_last_counts() -> None:
    listed = Listing(inventory(volume("v", size=1), volume("w"), volume("v", size=2))).of_kind("volume")
    assert listed.ids == ["v", "w"]
    assert [item.size_bytes for item in listed.items] == [2, 10]


@given(INSTANTS)
def test_a_fingerprint_has_instants_in_iso_format(instant: datetime) -> None:
    used = replace(record("r"), last_used_at=instant)
    assert fingerprint_of(used)["last_used_at"] == instant.isoformat()


@given(INSTANTS)
def test_an_age_is_cut_to_whole_seconds(instant: datetime) -> None:
    age, second = NOW - instant, timedelta(seconds=1)
    # Not by total_seconds: a number of thousands of years has no place for millionths.
    cut = age // second if age >= timedelta() else -(-age // second)
    assert Since(instant, "created", "created").seconds(NOW) == cut

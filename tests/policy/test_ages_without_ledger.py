"""What a plan says where nothing remembers when things came: without a ledger nothing goes by its age."""

from msgspec.structs import replace

from dockersweep.model.inventory import Inventory, Mark
from dockersweep.policy.judging.ages_without_ledger import unknown_age_warnings
from dockersweep.policy.language.default_policy import DEFAULT_POLICY
from dockersweep.policy.language.flags import PolicyFlags, policy_from_flags
from dockersweep.policy.language.reading import read_policy
from dockersweep.units import parse_age
from tests.rig.inventories import ago, container, image, inventory, network, plan_of, volume


def forgotten(marks: tuple[Mark, ...] | None = None) -> Inventory:
    """What a run without a ledger sees."""
    seen = inventory(image("a"), volume("v"), volume("named", anonymous=False), volume("held"), network("n"))
    unseen = {"first_seen_at": None, "first_seen_unused_at": None}
    return replace(
        seen,
        containers=(container("web", "running", volumes=["held"]),),
        images=tuple(replace(one, **unseen) for one in seen.images),
        volumes=tuple(replace(one, **unseen) for one in seen.volumes),
        networks=tuple(replace(one, **unseen) for one in seen.networks),
        marks=marks,
    )


def told(seen: Inventory, **flags: object) -> list[str]:
    policy = policy_from_flags(PolicyFlags(**flags), DEFAULT_POLICY)  # type: ignore[arg-type]
    return [one.text for one in unknown_age_warnings(seen, plan_of(seen, policy))]


def test_what_never_goes_without_a_ledger_is_told_once() -> None:
    [text] = told(forgotten())
    assert text.startswith("without a ledger nothing tells how old 1 image, 1 volume and 1 network may be")
    assert "with remove.built_over or remove.created_over, which works without one" in text
    assert "--older-than 0s" in text
    assert [len(plan_of(forgotten(), DEFAULT_POLICY).removals)] == [0]


def test_the_keys_it_names_remove_what_it_is_about() -> None:
    seen = replace(forgotten(), images=())
    [text] = told(seen)
    assert "a rule with remove.created_over, which" in text
    rules = """
    version = 1
    [[rule]]
    name = "by creation"
    kind = ["volume", "network"]
    everything = true
    remove.created_over = "1d"
    [[rule]]
    name = "by build"
    kind = "image"
    everything = true
    remove.built_over = "1d"
    """
    policy = read_policy(rules.encode(), "told")
    built = forgotten()
    built = replace(built, images=tuple(replace(one, built_at=ago(days=9)) for one in built.images))
    going = {one.name for one in plan_of(built, policy).decisions if one.verdict == "remove"}
    assert going == {"a", "v", "named", "n"}


def test_nothing_is_told_where_a_ledger_is_or_no_age_is_asked_for() -> None:
    assert told(forgotten(marks=())) == []
    assert told(forgotten(), older_than=parse_age("0s")) == []
    assert told(inventory(container("web"))) == []

"""What a plan shows: the summary of what it keeps, and why tags go."""

import json
from datetime import timedelta

import pytest
from msgspec.structs import replace

from dockersweep.model.documents import read_document
from dockersweep.model.inventory import Inventory, Mount, Service, ServiceSpec
from dockersweep.model.plan import Plan
from dockersweep.model.policy import Keep, Match, Policy, Protections, Remove, Rule
from dockersweep.policy.judging.survey import Survey
from dockersweep.policy.language.default_policy import DEFAULT_POLICY
from dockersweep.policy.language.reading import read_policy
from dockersweep.policy.planning.saved_plan import LONGEST_TEXT, what_may_go
from dockersweep.report.formats import formatted
from dockersweep.report.plan import plan_layout
from dockersweep.units import parse_age
from dockersweep.words.documents import write_document
from tests.rig.inventories import NOW, container, image, inventory, plan_of, volume


def kept(there: Inventory) -> list[str]:
    layout = plan_layout(plan_of(there, DEFAULT_POLICY, NOW), detail="grouped")
    _, _, summary = formatted(layout, "table", None).partition("Kept (--verbose")
    return [" ".join(line.split()) for line in summary.splitlines()[1:]]


def service(name: str) -> Service:
    mounts = (Mount(type="volume", volume=f"{name}-data", source=None),)
    return Service(
        id=name, name=name, mode="replicated", spec=ServiceSpec(images=(f"{name}:1",), mounts=mounts), running=0
    )


def test_what_holds_an_object_has_no_name_in_the_summary() -> None:
    """A node may have hundreds of services and pods."""
    pods = [container(name, "running", labels={"io.kubernetes.pod.name": name}) for name in ("web-1", "web-2")]
    made = [one for name in ("db", "web") for one in (image(name, f"{name}:1"), volume(f"{name}-data", free=True))]
    there = replace(inventory(*pods, *made), services=(service("db"), service("web")))
    assert kept(there)[:3] == [
        "2 containers 2 of the kubelet",
        "2 images 2 used by a service",
        "2 volumes 2 used by a service",
    ]
    unseen = replace(inventory(image("a", "a:1"), volume("v", anonymous=False)), services=None)
    words = "may be used by a service that cannot be seen"
    assert kept(unseen)[:2] == [f"1 image 1 {words}", f"1 volume 1 {words}"]


def test_a_tie_keeps_more_than_the_number_and_says_so() -> None:
    text = '[[rule]]\nname = "two"\nkind = "image"\nmatch.tagged = true\nkeep.last = 2\nremove.older_than = "1d"\n'
    policy = read_policy(f"version = 1\n{text}".encode(), "the policy in x")
    built = {"a": NOW - timedelta(days=1), "b": NOW - timedelta(days=2), "c": NOW - timedelta(days=2)}
    there = inventory(*(replace(image(name, f"app:{name}"), built_at=at) for name, at in built.items()))
    formatted_plan = formatted(plan_layout(plan_of(there, policy, NOW), "grouped"), "table", None)
    assert "3 images  2 kept by a rule, 1 kept by a rule in a tie\n" in formatted_plan


def _without_values(plan: Plan) -> Plan:
    """Return a plan as it is after 0.1.0, whose reasons were texts, has written it."""
    written = json.loads(write_document(plan))
    for decision in written["decisions"]:
        decision["reasons"] = [{key: one[key] for key in ("code", "rule", "text")} for one in decision["reasons"]]
        for reason in decision["reasons"]:
            now, then = "tag app:old goes (frees 0 B)", "its tag app:old goes, which gives back 0 bytes"
            reason["text"] = reason["text"].replace(now, then)
    return read_document(json.dumps(written).encode(), Plan, "plan.json")


@pytest.mark.parametrize("name", ["releases", "r" * (LONGEST_TEXT + 1)])
def test_a_plan_that_an_older_version_saved_tells_why_tags_go(name: str) -> None:
    rule = Rule(
        name=name, kinds=("image",), match=Match(), keep=Keep(tags=("v*",)), remove=Remove(older_than=parse_age("1d"))
    )
    policy = Policy(source="a test", protections=Protections(), rules=(rule,))
    there = inventory(image("a", "app:v1", "app:old"))
    plan = plan_of(there, policy, NOW)
    assert plan.decisions[0].untag == ("app:old",)
    of_now, of_then = (
        formatted(plan_layout(what_may_go(one, Survey(there, NOW), policy).plan, "all"), "table", None)
        for one in (plan, _without_values(plan))
    )
    assert of_then == of_now
    row = next(line for line in of_then.splitlines() if line.startswith("app:old "))
    assert row.split(maxsplit=2) == ["app:old", "app:v1", "first seen 10 days ago (limit 1 day)"]

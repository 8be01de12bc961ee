"""About which images registries are asked, and about which they are not."""

from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from dockersweep.model.inventory import Image, Object
from dockersweep.model.policy import Policy
from dockersweep.model.registry import RegistryAnswer, RegistryQuestion
from dockersweep.policy.judging.survey import Survey
from dockersweep.policy.language.reading import read_policy
from dockersweep.policy.planning.planner import make_plan
from dockersweep.policy.planning.registry_questions import registry_questions
from dockersweep.words.reasons import reason_text
from tests.rig.inventories import NOW, ago, container, image, inventory

SHA = f"sha256:{'1' * 64}"


def policy(text: str) -> Policy:
    return read_policy(f"version = 1\n{text}".encode(), "a test")


def rule(*keys: str) -> Policy:
    everything = () if any(key.startswith(("match", "not")) for key in keys) else ("everything = true",)
    return policy("\n".join(('[[rule]]\nname = "a"\nkind = "image"', *everything, *keys, "")))


def named(name: str, *tags: str, in_registry: bool | None = None, **more: object) -> Image:
    """An image with a digest, as Podman has of all."""
    digests = [f"registry.test/{name}@{SHA}"]
    return image(name, *tags, digests=digests, in_registry=in_registry, **more)  # type: ignore[arg-type]


def questions(objects: Sequence[Object], of: Policy, store: str = "overlay2") -> tuple[RegistryQuestion, ...]:
    seen = inventory(*objects)
    seen = replace(seen, engine=replace(seen.engine, image_store=store))
    return registry_questions(Survey(seen, NOW), of)


def asked(objects: Sequence[Object], of: Policy) -> set[str]:
    return {one.image_id.removeprefix("sha256:") for one in questions(objects, of)}


OBJECTS: list[Object] = [
    named("old", "registry.test/old:1"),
    named("young", "registry.test/young:1", first_seen=ago(minutes=30)),
    named("run", "registry.test/run:1"),
    named("stopped", "registry.test/stopped:1"),
    named("dangling"),
    image("local", "local:1", digests=[f"localhost/local@{SHA}"], in_registry=False),
    image("unnamed", "unnamed:1"),
    container("running", image="sha256:run", state="running"),
    container("exited", image="sha256:stopped", finished=ago(days=2)),
]


@pytest.mark.parametrize("wanted", ["true", "false"])
@pytest.mark.parametrize("key", ["match", "not"])
def test_a_rule_by_it_asks_about_all_that_it_may_match_whatever_their_age(key: str, wanted: str) -> None:
    of = rule(f"{key}.recoverable = {wanted}", 'remove.older_than = "5d"')
    assert asked(OBJECTS, of) == {"old", "young", "stopped", "dangling"}
    of = rule(f"{key}.recoverable = {wanted}", "match.tagged = true", 'remove.older_than = "5d"')
    assert asked(OBJECTS, of) == {"old", "young", "stopped"}


def test_a_rule_that_keeps_by_it_counts_what_runs_too() -> None:
    of = rule("match.recoverable = true", "keep.last = 2", 'remove.older_than = "5d"')
    assert asked(OBJECTS, of) == {"old", "young", "run", "stopped", "dangling"}


def test_another_rule_asks_about_what_it_removes_only() -> None:
    assert asked(OBJECTS, rule("match.tagged = false", 'remove.older_than = "5d"')) == {"dangling"}
    assert asked(OBJECTS, rule("match.tagged = true", 'remove.older_than = "5d"')) == {"old"}


def test_a_target_asks_about_all_that_may_go_for_it() -> None:
    for spare in ("true", '"never"', "false"):
        of = policy(f'[target]\nfree = "1B"\norder = ["image"]\nspare_registry_less = {spare}\n')
        assert asked(OBJECTS, of) == {"old", "dangling"}
    of = policy('[target]\nfree = "1B"\norder = ["build-cache"]\nspare_registry_less = false\n')
    assert asked(OBJECTS, of) == set()


def test_nothing_is_asked_where_no_image_may_go() -> None:
    assert asked(OBJECTS, policy("removes_nothing = true\n")) == set()
    assert asked(OBJECTS, rule("match.recoverable = true", "keep.last = 2")) == set()
    of = rule("match.recoverable = true", 'remove.older_than = "0s"')
    assert asked(OBJECTS, replace(of, kinds=("container",))) == set()
    protected = policy(
        '[protect]\nimages = "registry.test/old"\n'
        '[[rule]]\nname = "a"\nkind = "image"\neverything = true\nremove.older_than = "5d"\n'
    )
    assert asked(OBJECTS, protected) == {"dangling"}


def test_where_services_are_not_seen_it_is_asked_about_what_that_keeps() -> None:
    seen = replace(inventory(named("old", "registry.test/old:1")), services=None)
    of = rule('remove.older_than = "5d"')
    assert make_plan(Survey(seen, NOW), of).removals == ()
    [question] = registry_questions(Survey(seen, NOW), of)
    assert question.image_id == "sha256:old"
    answered = replace(seen, images=tuple(replace(one, in_registry=True) for one in seen.images))
    assert len(make_plan(Survey(answered, NOW), of).removals) == 1


def test_the_largest_come_first() -> None:
    objects = [
        named("small", size=1),
        named("unknown", size=None),
        named("large", size=10**9),
        named("middle", size=10),
    ]
    found = [one.image_id for one in questions(objects, rule('remove.older_than = "5d"'))]
    assert found == ["sha256:large", "sha256:middle", "sha256:small", "sha256:unknown"]


def test_what_is_asked() -> None:
    one = image(
        "a", "registry.test/team/a:1", "registry.test/team/a:2", "other.test/a:1", "localhost/a:1",
        digests=[f"localhost/a@{SHA}", f"registry.test/team/a@{SHA}"],
    )  # fmt: skip
    one = replace(one, manifest="sha256:2")
    of = rule('remove.older_than = "0s"')
    [question] = questions([one], of)
    assert question.digests == (f"registry.test/team/a@{SHA}",)
    assert question.tags == ("registry.test/team/a:1", "registry.test/team/a:2")
    assert question.manifest == "sha256:2"
    # There an image is called by its manifest, and the manifest of a tag tells nothing of it.
    [question] = questions([one], of, store="containerd")
    assert question.tags == ()


def test_the_containerd_store_forgets_names_that_the_ledger_has() -> None:
    dangling = image("b", in_registry=None)
    seen = inventory(dangling)
    of = rule('remove.older_than = "0s"')
    former = {dangling.id: ("registry.test:5000/team/b:1", "registry.test:5000/team/b:2", "localhost/b:1", "b:1")}
    for store, expected in (
        ("containerd", ("registry.test:5000/team/b@sha256:b", "b@sha256:b")),
        # Its id is no digest that a registry knows.
        ("overlay2", None),
    ):
        survey = Survey(replace(seen, engine=replace(seen.engine, image_store=store)), NOW)
        assert [one.digests for one in registry_questions(survey, of, former)] == ([expected] if expected else [])


def test_a_plan_tells_when_a_registry_had_it() -> None:
    answer = RegistryAnswer(reference=f"registry.test/dangling@{SHA}", asked_at=ago(hours=2))
    seen = inventory(replace(named("dangling"), in_registry=True, registry_answer=answer))
    [removal] = make_plan(Survey(seen, NOW), rule('remove.older_than = "5d"')).decisions
    [reason] = [one for one in removal.reasons if one.code == "recoverable"]
    assert reason_text(reason) == (
        f"can be pulled again as registry.test/dangling@{SHA} (the registry had it at 2026-11-24T10:00:00Z)"
    )

"""Twice the objects, rules or patterns take about twice the time, whatever the objects hold each other by.

The bound lies between that and four times, which a quadratic plan takes. It is processor time, the best of several.
"""

import gc
import time
from collections.abc import Callable
from hashlib import sha256

import pytest
from msgspec.structs import replace

from dockersweep.model.inventory import Inventory, Mount, Object, Service, ServiceSpec
from dockersweep.model.policy import Policy
from dockersweep.policy.judging.services import ServiceHolds
from dockersweep.policy.language.reading import read_policy
from dockersweep.policy.names.patterns import compile_patterns
from tests.rig.inventories import NOW, container, image, inventory, network, plan_of, record, volume
from tests.rig.policies import VERSION, rule_text

MOST_TIMES = 3.0
LEAST_ROUNDS, MOST_ROUNDS = 3, 20

EVERYTHING = """
version = 1
[[rule]]
name = "all"
kind = ["container", "image", "volume", "network", "build-cache"]
everything = true
remove.older_than = "1h"
"""
IMAGES = VERSION + rule_text(
    "images", "image", 'match.tag = ["x*", "/^pr-[0-9]+$/"]', "keep.last = 3", 'remove.older_than = "1h"'
)
TARGET = """
version = 1
[target]
free = "100TB"
order = ["container", "build-cache", "image"]
older_than = "1h"
"""
GROUPS = VERSION + rule_text(
    "volumes", "volume", "keep.last = 1", "keep.daily = 3", 'keep.group_by = "project"', 'remove.older_than = "1h"'
)


def chain_of_images(count: int) -> list[Object]:
    return [image(f"i{one:06}", parent=f"i{one - 1:06}" if one else None) for one in range(count)]


def children_of_one_image(count: int) -> list[Object]:
    return [image("top"), *(image(f"i{one:06}", parent="top") for one in range(count))]


def chain_of_records(count: int) -> list[Object]:
    return [record(f"r{one:06}", *([f"r{one - 1:06}"] if one else [])) for one in range(count)]


def records_on_one(count: int) -> list[Object]:
    return [record("top"), *(record(f"r{one:06}", "top") for one in range(count))]


def record_on_all(count: int) -> list[Object]:
    return [record("top", *(f"r{one:06}" for one in range(count))), *(record(f"r{one:06}") for one in range(count))]


def containers_of_one_image_and_network(count: int) -> list[Object]:
    made = [container(f"c{one}", image="sha256:i", networks=["net", "net-net"]) for one in range(count)]
    return [network("net"), image("i"), *made]


def containers_that_mount_images(count: int) -> list[Object]:
    images = [image(f"i{one}", f"app:{one}") for one in range(count)]
    mounts = [(Mount(type="image", volume=None, source=f"app:{one}"),) for one in range(count)]
    return [*images, *(replace(container(f"c{one}"), mounts=mount) for one, mount in enumerate(mounts))]


def binds_into_volumes(count: int) -> list[Object]:
    folders = [f"/var/lib/docker/volumes/v{one}/_data/a/b/c" for one in range(count)]
    return [*(volume(f"v{one}") for one in range(count)), *(container(f"c-{path}", binds=[path]) for path in folders)]


def one_image_with_many_tags(count: int) -> list[Object]:
    return [image("i", *(f"app:{one}" for one in range(count)))]


def containers_of_one_image_with_many_tags(count: int) -> list[Object]:
    tags = [f"app:{one}" for one in range(count)]
    return [image("i", *tags), *(container(f"c{one}", image="sha256:i") for one in range(count))]


def networks_of_one_name(count: int) -> list[Object]:
    return [replace(network(f"n{one}"), name="net") for one in range(count)]


def groups_of_one(count: int) -> list[Object]:
    return [replace(volume(f"v{one}"), project=f"p{one}") for one in range(count)]


def seconds(work: Callable[[], object]) -> float:
    """Return the processor time that it takes, without the garbage collector, as the tool plans: it walks over all that
    the tests before have left, and how often is not in proportion."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        before = time.process_time()
        work()
        return time.process_time() - before
    finally:
        if was_enabled:
            gc.enable()


def is_linear(once: Callable[[], object], twice: Callable[[], object]) -> bool:
    """Whether the one takes less than the bound times the other, each the best of several rounds.

    Where it does not there are more rounds: the machine may have been busy.
    """
    short = long = float("inf")
    for number in range(1, MOST_ROUNDS + 1):
        short, long = min(short, seconds(once)), min(long, seconds(twice))
        if number >= LEAST_ROUNDS and long < MOST_TIMES * short:
            return True
    return False


def planning(seen: Inventory, policy: Policy) -> Callable[[], object]:
    return lambda: plan_of(seen, policy, NOW)


@pytest.mark.parametrize(
    ("make", "text", "count"),
    [
        (chain_of_images, EVERYTHING, 500),
        (children_of_one_image, EVERYTHING, 500),
        (chain_of_records, EVERYTHING, 500),
        (records_on_one, EVERYTHING, 500),
        (record_on_all, EVERYTHING, 500),
        (containers_of_one_image_and_network, EVERYTHING, 400),
        (containers_that_mount_images, EVERYTHING, 200),
        (binds_into_volumes, EVERYTHING, 200),
        (one_image_with_many_tags, IMAGES, 2000),
        (containers_of_one_image_with_many_tags, EVERYTHING, 400),
        (networks_of_one_name, IMAGES, 3000),
        (groups_of_one, GROUPS, 400),
        (records_on_one, TARGET, 500),
        (containers_of_one_image_and_network, TARGET, 400),
    ],
)
def test_twice_the_objects_take_about_twice_the_time(
    make: Callable[[int], list[Object]], text: str, count: int
) -> None:
    policy = read_policy(text.encode(), "a test")
    once, twice = (planning(inventory(*make(number)), policy) for number in (count, 2 * count))
    assert is_linear(once, twice)


def naming_images_by_id(count: int) -> tuple[list[Object], list[ServiceSpec]]:
    ids = [sha256(b"%d" % one).hexdigest() for one in range(count)]
    return [image(one) for one in ids], [ServiceSpec(images=(one[:20],)) for one in ids]


def naming_volumes_by_template(count: int) -> tuple[list[Object], list[ServiceSpec]]:
    """The services name a volume for each task; none here is one of those."""
    mount = Mount(type="volume", volume="data-{{.Task.Slot}}", source=None)
    return [volume(f"v{one}") for one in range(count)], [ServiceSpec(mounts=(mount,))] * count


@pytest.mark.parametrize("make", [naming_images_by_id, naming_volumes_by_template])
def test_twice_the_objects_and_services_take_about_twice_the_time(
    make: Callable[[int], tuple[list[Object], list[ServiceSpec]]],
) -> None:
    def finding(count: int) -> Callable[[], object]:
        objects, specs = make(count)
        services = (
            Service(id=f"s{one}", name=f"s{one}", mode="replicated", spec=spec) for one, spec in enumerate(specs)
        )
        there = replace(inventory(*objects), services=tuple(services))
        return lambda: ServiceHolds(there)

    assert is_linear(finding(1000), finding(2000))


def rules(count: int) -> Policy:
    made = EVERYTHING.replace("everything = true", 'match.name = "x*"')
    policy = read_policy(made.encode(), "a test")
    return replace(policy, rules=tuple(replace(policy.rules[0], name=f"rule {one}") for one in range(count)))


def protections(count: int) -> Policy:
    """Return a policy with more patterns than `re` and RE2 remember, which would make the smaller one cheaper."""
    told = ", ".join(f'"{one}-*", "exact-{one}", "/^{one}x[0-9]/"' for one in range(count))
    labels = ", ".join(f'"l{one}", "k{one}=v*"' for one in range(count))
    return read_policy(f"{EVERYTHING}[protect]\nnames = [{told}]\nlabels = [{labels}]\n".encode(), "a test")


@pytest.mark.parametrize(("make", "count"), [(rules, 100), (protections, 100)])
def test_twice_the_rules_or_patterns_take_about_twice_the_time(make: Callable[[int], Policy], count: int) -> None:
    seen = inventory(*groups_of_one(40), *(image(f"i{one}", f"app:{one}") for one in range(40)))
    once, twice = (planning(seen, make(number)) for number in (count, 2 * count))
    assert is_linear(once, twice)


@pytest.mark.parametrize("pattern", ["*a*a*a*a*b", "*" * 50 + "b", "*a?a?a*[b]", "/(a*)*b/", "/a.*a.*a.*b/"])
def test_twice_the_text_takes_about_twice_the_time(pattern: str) -> None:
    test = compile_patterns([pattern])

    def matching(text: str) -> Callable[[], object]:
        return lambda: [test(text) for _ in range(20)]

    assert is_linear(matching("a" * 4096 + "c"), matching("a" * 8192 + "c"))

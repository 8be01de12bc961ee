"""The summary of what a plan keeps."""

from msgspec.structs import replace

from dockersweep.model.inventory import Inventory, Mount, Service, ServiceSpec
from dockersweep.policy.defaults import DEFAULT_POLICY
from dockersweep.policy.planner import make_plan
from dockersweep.report.plan_table import plan_table
from tests.inventories import NOW, container, image, inventory, volume


def kept(there: Inventory) -> list[str]:
    _, _, summary = plan_table(make_plan(there, DEFAULT_POLICY, NOW), False, None).partition("Kept (--verbose")
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

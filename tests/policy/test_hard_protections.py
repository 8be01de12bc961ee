"""What no policy overrides: the table of what services, Kubernetes and other tools hold."""

from msgspec.structs import replace

from dockersweep.model.external import ExternalContainer
from dockersweep.model.inventory import Service, ServiceSpec
from dockersweep.model.naming import ref_of
from dockersweep.policy.judging.survey import Survey
from tests.rig.inventories import NOW, ago, image, inventory, volume


def test_who_holds_an_object_is_named_in_order_and_for_its_kind_alone() -> None:
    held = replace(image("a", "registry.k8s.io/pause:3.10"), read_only=True)
    namesake = replace(volume("v"), name=held.id)
    service = Service(id="s", name="web", mode="replicated", spec=ServiceSpec(images=held.tags))
    tool = ExternalContainer(id="t", name="build", image_id=held.id, tool="podman build", created_at=ago(hours=1))
    there = replace(inventory(held, namesake), services=(service,), external=(tool,))
    hard = Survey(there, NOW).hard
    codes = [reason.code for reason in hard.of(ref_of(held), held, False)]
    assert codes == ["service", "kubelet", "read-only", "external"]
    assert list(hard.by_others) == [ref_of(held)]
    assert not hard.of(ref_of(namesake), namesake, False)

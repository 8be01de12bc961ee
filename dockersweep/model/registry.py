"""What registries are asked, how an engine reaches them, and what they answered."""

from typing import Literal

from msgspec import Struct

from dockersweep.model.quantities import Instant


class RegistryAnswer(Struct, frozen=True, kw_only=True, gc=False):
    """What the registries of an image answered when they were asked for it."""

    reference: str | None
    """The name by which one of them has it; None where none of them has it."""
    asked_at: Instant
    """By the engine's clock."""


class RegistryQuestion(Struct, frozen=True, kw_only=True):
    """Whether a registry has an image."""

    image_id: str
    digests: tuple[str, ...]
    """References by digest: any one of them that is there is enough."""
    manifest: str | None = None
    """The digest of the one platform of it that lies here, which has to be there too; None where that is not known or
    says no more than the reference."""
    tags: tuple[str, ...] = ()
    """Tags under which the same image, known by the digest of its configuration, may lie there. Asked only where no
    digest is there."""


class RegistryAccess(Struct, frozen=True, kw_only=True):
    """How an engine reaches registries, as far as it tells."""

    flavour: Literal["docker", "podman"]
    insecure_hosts: tuple[str, ...] = ()
    """HOST or HOST:PORT of registries whose certificate is not checked, or that have none."""
    insecure_networks: tuple[str, ...] = ()
    """The same for all in these networks, in CIDR notation. The loopback interface always counts."""
    hub_mirrors: tuple[str, ...] = ()
    """URLs that are asked before Docker Hub."""
    has_our_loopback: bool = True
    """Whether its loopback interface can be this machine's, so that names like localhost:5000 mean the same here."""

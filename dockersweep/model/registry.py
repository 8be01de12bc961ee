"""Questions to registries, how an engine reaches them, and their answers."""

from typing import Literal

from msgspec import Struct

from dockersweep.model.quantities import Instant


class RegistryAnswer(Struct, frozen=True, kw_only=True, gc=False):
    """The answer of the registries of an image."""

    reference: str | None
    """The reference by which one of them has it; None where none has it."""
    asked_at: Instant
    """By the engine's clock."""


class RegistryQuestion(Struct, frozen=True, kw_only=True):
    """Whether a registry has an image."""

    image_id: str
    digests: tuple[str, ...]
    """References by digest: one that exists is enough."""
    manifest: str | None = None
    """The digest of its one platform on the engine, which has to exist in the registry too; None where that is not
    known, or adds nothing to the reference."""
    tags: tuple[str, ...] = ()
    """Tags under which the registry may have the same image, recognized by the digest of its configuration. Asked only
    where it has none of the digests."""


class RegistryAccess(Struct, frozen=True, kw_only=True):
    """How an engine reaches registries, as far as it reports that."""

    flavour: Literal["docker", "podman"]
    insecure_hosts: tuple[str, ...] = ()
    """HOST or HOST:PORT of registries whose certificate is not checked, or that have none."""
    insecure_networks: tuple[str, ...] = ()
    """The same for all in these networks, in CIDR notation. The loopback interface always counts."""
    hub_mirrors: tuple[str, ...] = ()
    """URLs to ask before Docker Hub."""
    has_our_loopback: bool = True
    """Whether its loopback interface can be this machine's, so that localhost:5000 is the same registry here."""

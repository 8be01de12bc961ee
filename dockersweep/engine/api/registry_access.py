"""How an engine reaches registries, by what it tells in GET /info."""

from dockersweep.engine.api.wire import WireRegistryConfig
from dockersweep.model.inventory import Engine
from dockersweep.model.registry import RegistryAccess

_HUB = "docker.io"


def registry_access_of(told: WireRegistryConfig | None, engine: Engine, own_host: str) -> RegistryAccess:
    """Return what an engine tells of registries. Its loopback interface is taken for ours, whose host name is
    `own_host`, where it is spoken to over a socket and has our name or none: a socket can lead to another machine."""
    indexes = (told.index_configs or {}) if told else {}
    hub = indexes.get(_HUB)
    return RegistryAccess(
        flavour=engine.flavour,
        insecure_hosts=tuple(name for name, one in indexes.items() if not one.secure),
        insecure_networks=tuple((told.insecure_registry_cidrs or ()) if told else ()),
        hub_mirrors=tuple((hub.mirrors or ()) if hub else ()),
        has_our_loopback=engine.is_local and engine.name in (None, own_host),
    )

"""How an engine reaches registries, according to its GET /info."""

from dockersweep.engine.api.wire import WireRegistryConfig
from dockersweep.model.inventory import Engine
from dockersweep.model.registry import RegistryAccess

_HUB = "docker.io"


def registry_access_of(config: WireRegistryConfig | None, engine: Engine, own_host: str) -> RegistryAccess:
    """Return how an engine reaches registries. Its loopback interface counts as ours if it is reached over a socket and
    its name is `own_host`, our host name, or missing: a socket can lead to another machine."""
    indexes = (config.index_configs or {}) if config else {}
    hub = indexes.get(_HUB)
    return RegistryAccess(
        flavour=engine.flavour,
        insecure_hosts=tuple(name for name, index in indexes.items() if not index.secure),
        insecure_networks=tuple((config.insecure_registry_cidrs or ()) if config else ()),
        hub_mirrors=tuple((hub.mirrors or ()) if hub else ()),
        has_our_loopback=engine.is_local and engine.name in (None, own_host),
    )

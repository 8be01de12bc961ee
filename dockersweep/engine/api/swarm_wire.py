"""The shapes of a swarm's nodes, tasks, services and configs, as far as they are used; as `wire` has it."""

from msgspec import Struct, field


class WireNodeSpec(Struct, rename="pascal"):
    role: str = ""
    availability: str = ""
    labels: dict[str, str] | None = None


class WirePlatform(Struct, rename="pascal"):
    os: str = field(default="", name="OS")
    architecture: str = ""


class WireNodeEngine(Struct, rename="pascal"):
    labels: dict[str, str] | None = None


class WireNodeDescription(Struct, rename="pascal"):
    hostname: str = ""
    platform: WirePlatform | None = None
    engine: WireNodeEngine | None = None


class WireNodeStatus(Struct, rename="pascal"):
    state: str = ""
    message: str = ""
    addr: str = ""


class WireNode(Struct, rename="pascal"):
    """An entry of GET /nodes."""

    id: str = field(name="ID")
    spec: WireNodeSpec | None = None
    description: WireNodeDescription | None = None
    status: WireNodeStatus | None = None


class WireContainerStatus(Struct, rename="pascal"):
    exit_code: int | None = None


class WireTaskStatus(Struct, rename="pascal"):
    state: str = ""
    err: str = ""
    container_status: WireContainerStatus | None = None


class WireTask(Struct, rename="pascal"):
    """An entry of GET /tasks."""

    id: str = field(name="ID")
    created_at: str = ""
    node_id: str = field(default="", name="NodeID")
    status: WireTaskStatus | None = None


class WireLabeledSpec(Struct, rename="pascal"):
    name: str = ""
    labels: dict[str, str] | None = None


class WireLabeled(Struct, rename="pascal"):
    """An entry of GET /services or GET /configs."""

    id: str = field(name="ID")
    created_at: str = ""
    spec: WireLabeledSpec | None = None


class WireCreated(Struct, rename="pascal"):
    """The answer to a POST that creates."""

    id: str = field(name="ID")

"""Small inventories for tests: each noun with what matters named and the rest filled in."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from msgspec.structs import replace

from dockersweep.model.declared import Declarations
from dockersweep.model.explanation import Explanation
from dockersweep.model.inventory import (
    BuildCacheRecord,
    Container,
    Engine,
    Image,
    Inventory,
    Mount,
    Network,
    Object,
    ObjectRef,
    ScanWarning,
    Volume,
)
from dockersweep.model.last_use import Span
from dockersweep.model.plan import Decision, Plan
from dockersweep.model.policy import Policy
from dockersweep.model.report import Report
from dockersweep.policy.bytes.reclaim import Reclaim
from dockersweep.policy.bytes.totals import Totals
from dockersweep.policy.disk_report import Past, make_report
from dockersweep.policy.explaining.explain import explain
from dockersweep.policy.judging.judge import Judge, in_order
from dockersweep.policy.judging.survey import Survey
from dockersweep.policy.planning.planner import foresee, make_plan
from dockersweep.words.documents import write_document

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
ENGINE = Engine(
    endpoint="unix:///run/test.sock",
    endpoint_source="--host",
    id="ENGINE",
    name="box",
    version="28.5.2",
    api_version="1.51",
    flavour="docker",
    image_store="overlay2",
    root_dir="/var/lib/docker",
)


def ago(**length: float) -> datetime:
    """Return the instant that lies this long before NOW: ago(days=3)."""
    return NOW - timedelta(**length)


def container(
    name: str,
    state: str = "exited",
    *,
    finished: datetime | None = None,
    created: datetime | None = None,
    image: str = "sha256:none",
    volumes: Sequence[str] = (),
    binds: Sequence[str] = (),
    networks: Sequence[str] = (),
    shares_with: Sequence[str] = (),
    restart: str | None = "no",
    labels: Mapping[str, str] | None = None,
    size: int | None = 0,
    logs: int | None = 0,
    unread: str | None = None,
) -> Container:
    """A container, exited ten days ago unless told otherwise; its id is its name."""
    return Container(
        id=name,
        name=name,
        image=image,
        image_id=image,
        state=state,
        exit_code=0,
        created_at=created or ago(days=20),
        started_at=None if state == "created" else ago(days=19),
        finished_at=(finished or ago(days=10)) if state in ("exited", "dead") else None,
        restart_policy=restart,
        labels=dict(labels or {}),
        project=None,
        mounts=_mounts(volumes, binds),
        networks=tuple(networks),
        shares_with=tuple(shares_with),
        size_bytes=size,
        log_driver="json-file",
        log_path=None,
        log_bytes=logs,
        unread=unread,
    )


def _mounts(volumes: Sequence[str], binds: Sequence[str]) -> tuple[Mount, ...]:
    of_volumes = [Mount(type="volume", volume=volume, source=None) for volume in volumes]
    return (*of_volumes, *(Mount(type="bind", volume=None, source=bind) for bind in binds))


def image(
    name: str,
    *tags: str,
    parent: str | None = None,
    digests: Sequence[str] = (),
    in_registry: bool | Literal["by digests"] | None = "by digests",
    size: int | None = 100,
    shared: int | None = 0,
    first_seen: datetime | None = None,
    first_unused: datetime | None = None,
    labels: Mapping[str, str] | None = None,
    read_only: bool = False,
) -> Image:
    """An image, dangling without tags, first seen ten days ago; its id is "sha256:" and its name."""
    return Image(
        id=f"sha256:{name}",
        tags=tags,
        digests=tuple(digests),
        in_registry=bool(digests) if in_registry == "by digests" else in_registry,
        parent_id=None if parent is None else f"sha256:{parent}",
        built_at=None,
        size_bytes=size,
        shared_bytes=shared,
        labels=dict(labels or {}),
        project=None,
        read_only=read_only,
        first_seen_at=first_seen or ago(days=10),
        first_seen_unused_at=first_unused or first_seen or ago(days=10),
    )


def volume(
    name: str,
    *,
    anonymous: bool = True,
    driver: str = "local",
    options: Mapping[str, str] | None = None,
    created: datetime | None = None,
    free: bool = True,
    size: int | None = 10,
    labels: Mapping[str, str] | None = None,
) -> Volume:
    """A volume, anonymous and created ten days ago unless told otherwise, and seen unused since then."""
    return Volume(
        name=name,
        driver=driver,
        scope="local",
        mountpoint=f"/var/lib/docker/volumes/{name}/_data",
        created_at=created or ago(days=10),
        labels=dict(labels or {}),
        options=dict(options or {}),
        anonymous=anonymous,
        project=None,
        free_by_engine=free,
        size_bytes=size,
        first_seen_at=created or ago(days=10),
        first_seen_unused_at=created or ago(days=10),
    )


def network(
    name: str,
    *,
    predefined: bool = False,
    scope: str = "local",
    config_from: str | None = None,
    created: datetime | None = None,
    project: str | None = "shop",
) -> Network:
    """A network of a compose project, created ten days ago and seen unused since then; its id is "net-" and its
    name."""
    return Network(
        id=f"net-{name}",
        name=name,
        driver="bridge",
        scope=scope,
        created_at=created or ago(days=10),
        labels={},
        project=project,
        predefined=predefined,
        config_from=config_from,
        first_seen_at=created or ago(days=10),
        first_seen_unused_at=created or ago(days=10),
    )


def record(
    name: str,
    *parents: str,
    in_use: bool = False,
    shared: bool = False,
    last_used: datetime | None = None,
    size: int | None = 1000,
) -> BuildCacheRecord:
    """A build-cache record, last used ten days ago."""
    return BuildCacheRecord(
        id=name,
        type="regular",
        description=f"step {name}",
        parents=parents,
        in_use=in_use,
        shared=shared,
        size_bytes=size,
        created_at=ago(days=20),
        last_used_at=last_used or ago(days=10),
        usage_count=1,
    )


def inventory(
    *objects: Object,
    engine: Engine = ENGINE,
    own_container: str | None = None,
    warnings: Sequence[ScanWarning] = (),
    cache_read: bool = True,
    watched: tuple[Span, ...] | None = (Span(begins_at=ago(days=4000), ends_at=NOW),),
) -> Inventory:
    """An inventory of these objects, whose uses would have been noticed all the time."""
    return Inventory(
        schema="dockersweep.inventory/1",
        engine=engine,
        taken_at=NOW,
        own_container_id=own_container,
        containers=tuple(one for one in objects if isinstance(one, Container)),
        images=tuple(one for one in objects if isinstance(one, Image)),
        volumes=tuple(one for one in objects if isinstance(one, Volume)),
        networks=tuple(one for one in objects if isinstance(one, Network)),
        build_cache=tuple(one for one in objects if isinstance(one, BuildCacheRecord)) if cache_read else None,
        layers_bytes=None,
        warnings=tuple(warnings),
        watched=watched,
    )


def decisions_of(
    seen: Inventory, policy: Policy, now: datetime = NOW, declared: Declarations | None = None
) -> tuple[Decision, ...]:
    """What a policy decides of every object, by kind and id."""
    return in_order(Judge(Survey(seen, now, declared), policy).decide_all())


def reclaim_of(seen: Inventory) -> Reclaim:
    """What removals from an inventory free."""
    return Survey(seen, NOW).reclaim


def totals_of(seen: Inventory) -> Totals:
    """What all objects of an inventory take together."""
    return Survey(seen, NOW).totals


def plan_of(seen: Inventory, policy: Policy, now: datetime = NOW, declared: Declarations | None = None) -> Plan:
    """The plan for an inventory, where files declare this."""
    return make_plan(Survey(seen, now, declared), policy)


def as_read(plan: Plan) -> Plan:
    """A plan as a file gives it back: of what goes it has the fingerprints."""
    return replace(plan, removals=tuple(replace(one, judged=one.fingerprint) for one in plan.removals))


def write_inventory(folder: Path, seen: Inventory) -> str:
    """Save an inventory in a folder, and return the path of the file."""
    file = folder / "inventory.json"
    file.write_text(write_document(seen))
    return str(file)


def report_of(seen: Inventory, policy: Policy, past: Past | None, now: datetime = NOW) -> Report:
    """The report on an inventory."""
    survey = Survey(seen, now)
    return make_report(survey, policy, foresee(survey, policy), past)


def explanation_of(seen: Inventory, policy: Policy, ref: ObjectRef, now: datetime = NOW) -> Explanation:
    """All that is to be said of one object."""
    return explain(Survey(seen, now), policy, ref)

"""From the tables of a case to the objects of an inventory; the defaults of missing keys are harmless."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import TypeVar

from msgspec.structs import replace

from dockersweep.errors import PolicyError, UsageError
from dockersweep.model.compose_labels import CONTAINER_NUMBER, PROJECT, project_in
from dockersweep.model.inventory import (
    BuildCacheRecord,
    Container,
    Image,
    Labels,
    Mount,
    Network,
    Object,
    Service,
    ServiceSpec,
    Volume,
)
from dockersweep.model.last_use import LastProject, PastUse, Span
from dockersweep.model.policycase import (
    CaseFile,
    ContainerCase,
    ImageCase,
    Moment,
    NetworkCase,
    ObjectCase,
    RecordCase,
    ServiceCase,
    Texts,
    UseCase,
    VolumeCase,
    WatchedCase,
)
from dockersweep.model.restarts import ON_FAILURE
from dockersweep.units import known_instant, parse_age, parse_size

LONG_AGO = parse_age("30d")
"""The default age."""
USUAL_SIZE = 1_000_000
"""The default size in bytes; that of a container is 0."""
UNKNOWN = "unknown"

Read = TypeVar("Read")


def texts(written: Texts | None) -> tuple[str, ...]:
    """Return one text, a list of texts or None as a tuple."""
    return (written,) if isinstance(written, str) else tuple(written or ())


def case_name(written: ObjectCase) -> str:
    """Return the name of an object in the case: its name, or its first tag."""
    if isinstance(written, ImageCase):
        return written.name or next(iter(texts(written.tags)), "")
    return written.name


class CaseObjects:
    """Creates the objects of an inventory from the tables of one case."""

    def __init__(self, case: CaseFile) -> None:
        self._case = case
        self._now = case.now
        self._long_ago = LONG_AGO.before(case.now)
        self._image_ids: dict[str, str] = {}
        self._container_ids = {table.name: self.id_of(table) for table in case.container}
        self._name_images()
        for kind in (case.container, case.volume, case.network, case.build_cache):
            _refuse_twice([case_name(table) for table in kind])

    def _name_images(self) -> None:
        for image in self._case.image:
            if not case_name(image):
                raise PolicyError("an image without tags needs a name, by which the case can name it")
            for name in dict.fromkeys((case_name(image), *texts(image.tags), self.id_of(image))):
                if name in self._image_ids:
                    raise PolicyError(f"two images of the case are called {name}: a tag is that of one image only")
                self._image_ids[name] = self.id_of(image)

    def pairs(self) -> Iterator[tuple[ObjectCase, Object]]:
        """Yield each table with its object."""
        for container in self._case.container:
            yield container, self.container(container)
        for image in self._case.image:
            yield image, self.image(image)
        for volume in self._case.volume:
            yield volume, self.volume(volume)
        for network in self._case.network:
            yield network, self.network(network)
        for record in self._case.build_cache:
            yield record, self.record(record)

    def id_of(self, written: ObjectCase) -> str:
        """Return the id; where the case has none a digest, which no pattern for names matches."""
        if isinstance(written, VolumeCase | RecordCase):
            return written.name
        made_up = sha256(case_name(written).encode()).hexdigest()
        if isinstance(written, ImageCase):
            return f"sha256:{(written.id or made_up).removeprefix('sha256:')}"
        return written.id or made_up

    def container(self, written: ContainerCase) -> Container:
        """Return a container; one that never started has neither a start nor an end."""
        created, started, finished = self._times_of(written)
        labels, project = _labels(written.labels, written.project)
        if written.project is not None:
            labels = {CONTAINER_NUMBER: "1", **labels}
        return Container(
            id=self.id_of(written),
            name=written.name,
            image=written.image or "",
            image_id=None if written.image is None else self._image_id(written.image),
            state=written.state,
            exit_code=written.exit_code,
            created_at=created,
            started_at=started,
            finished_at=finished,
            restart_policy=None if written.restart == UNKNOWN else written.restart,
            labels=labels,
            project=project,
            mounts=tuple(_mounts(written)),
            networks=texts(written.networks),
            shares_with=texts(written.shares_with),
            size_bytes=self._size(written, 0),
            log_driver="json-file",
            log_path=None,
            log_bytes=None if written.logs == UNKNOWN else self._reads(written, "logs", parse_size, written.logs),
            unread=written.unread,
            retries_left=written.retries_left if written.restart == ON_FAILURE else None,
        )

    def image(self, written: ImageCase) -> Image:
        """Return an image; one with layers has the size of these together."""
        labels, project = _labels(written.labels, written.project)
        layers = [self._reads(written, "layers", parse_size, size) for size in written.layers.values()]
        shared = 0 if written.shared is None else self._reads(written, "shared", parse_size, written.shared)
        return Image(
            id=self.id_of(written),
            tags=tuple(sorted(texts(written.tags))),
            digests=tuple(sorted(texts(written.digests))),
            in_registry=_in_registry(written),
            parent_id=None if written.parent is None else self._image_id(written.parent),
            built_at=self._at(written, "built", written.built, self._long_ago),
            size_bytes=self._size(written, sum(layers) if layers else USUAL_SIZE),
            shared_bytes=None if layers else shared,
            labels=labels,
            project=project,
            last_projects=tuple(self._last_projects(written)),
        )

    def volume(self, written: VolumeCase) -> Volume:
        """Return a volume."""
        labels, project = _labels(written.labels, written.project)
        return Volume(
            name=written.name,
            driver=written.driver,
            scope="local",
            mountpoint=f"/var/lib/docker/volumes/{written.name}/_data",
            created_at=self._at(written, "created", written.created, self._long_ago),
            labels=labels,
            options=written.options,
            anonymous=written.anonymous,
            project=project,
            last_projects=tuple(self._last_projects(written)),
            free_by_engine=written.free,
            size_bytes=self._size(written, USUAL_SIZE),
            written_at=self._at(written, "written", written.written),
        )

    def network(self, written: NetworkCase) -> Network:
        """Return a network."""
        labels, project = _labels(written.labels, written.project)
        return Network(
            id=self.id_of(written),
            name=written.name,
            driver=written.driver,
            scope=written.scope,
            created_at=self._at(written, "created", written.created, self._long_ago),
            labels=labels,
            project=project,
            last_projects=tuple(self._last_projects(written)),
            predefined=written.predefined,
            config_from=written.config_from,
            config_only=written.config_only,
        )

    def record(self, written: RecordCase) -> BuildCacheRecord:
        """Return a record of the build cache."""
        used = self._at(written, "last_used", written.last_used, self._long_ago)
        return BuildCacheRecord(
            id=written.name,
            type=written.type,
            description=written.description,
            parents=texts(written.parents),
            in_use=written.in_use,
            shared=written.shared,
            size_bytes=self._size(written, USUAL_SIZE),
            created_at=self._at(written, "created", written.created, min(used or self._long_ago, self._long_ago)),
            last_used_at=used,
            usage_count=1,
        )

    def _last_projects(self, written: ImageCase | VolumeCase | NetworkCase) -> Iterator[LastProject]:
        for project in texts(written.last_projects):
            yield LastProject(project=project, at=self._long_ago)

    def remembered(self, written: ObjectCase, item: Object, is_used: bool) -> Object:
        """Return an object as the ledger would complete it, if it was watched from the beginning."""
        created = None if isinstance(item, Image) else item.created_at
        first = self._at(written, "seen", written.seen, created or self._long_ago)
        unused = self._at(written, "unused", written.unused, None if is_used else first)
        item = replace(item, first_seen_at=first, first_seen_unused_at=unused, scans_unused=written.scans)
        if isinstance(item, BuildCacheRecord):
            return item
        uses = sorted((self._use(written, use) for use in written.uses), key=lambda use: use.at, reverse=True)
        return replace(item, uses=tuple(uses))

    def _use(self, written: ObjectCase, use: UseCase) -> PastUse:
        """Return a use by a container of the case, or, with another name, by one that is gone."""
        by_id = None if use.by is None else self._container_ids.get(use.by, f"gone {use.by}")
        at = self._at(written, "uses.at", use.at)
        if at is None:
            raise PolicyError(f"{case_name(written)}: uses.at: write when it was, an age or a date")
        return PastUse(
            at=at,
            action=use.action,
            by=use.by,
            by_id=by_id,
            project=use.project,
            service=use.service,
        )

    def spans(self) -> Iterator[Span]:
        """Yield when uses would have been noticed, the earliest first; by default, always."""
        if not self._case.watched and self._case.uses_are_seen:
            yield Span(begins_at=datetime.min.replace(tzinfo=UTC), ends_at=self._now)
        for begins, ends in sorted(self._span(table) for table in self._case.watched):
            yield Span(begins_at=begins, ends_at=ends)

    def _span(self, written: WatchedCase) -> tuple[datetime, datetime]:
        try:
            begins, ends = self._instant(written.begins), self._instant(written.ends)
        except UsageError as error:
            raise PolicyError(f"watched: {error}") from None
        if ends < begins:
            raise PolicyError(f"watched: it begins at {written.begins} and ends before that, at {written.ends}")
        return begins, ends

    def _times_of(self, written: ContainerCase) -> tuple[datetime | None, datetime | None, datetime | None]:
        """Return when a container was created, started and finished; defaults keep this order."""
        ends = written.state in ("exited", "dead")
        if written.finished is not None and not ends:
            raise PolicyError(f"container {written.name}: one that is {written.state} has not finished")
        times = (self._at(written, "started", written.started), self._at(written, "finished", written.finished))
        earliest = min(instant for instant in (*times, self._long_ago) if instant is not None)
        created = self._at(written, "created", written.created, earliest)
        started = self._at(written, "started", written.started, created)
        finished = self._at(written, "finished", written.finished, max(started or self._long_ago, self._long_ago))
        starts = ends or written.started is not None
        return created, started if starts else None, finished if ends else None

    def _at(
        self, written: ObjectCase, key: str, moment: Moment | None, default: datetime | None = None
    ) -> datetime | None:
        if moment is None:
            return default
        instant = None if moment == UNKNOWN else self._reads(written, key, self._instant, moment)
        # A scan reads the year 1 or 1970 as unknown, which is what engines mean by it, but not for builds.
        return instant if key == "built" else known_instant(instant)

    def _instant(self, text: str) -> datetime:
        if text[:4].isdecimal() and text[4:5] == "-":
            try:
                instant = datetime.fromisoformat(text)
            except ValueError:
                raise UsageError(f"{text} is not a date: write it like 2026-01-31") from None
            return instant if instant.tzinfo is not None else instant.replace(tzinfo=UTC)
        return parse_age(text).before(self._now)

    def _size(self, written: ObjectCase, default: int) -> int | None:
        if written.size is None:
            return default
        return None if written.size == UNKNOWN else self._reads(written, "size", parse_size, written.size)

    def _reads(self, written: ObjectCase, key: str, read: Callable[[str], Read], text: str) -> Read:
        try:
            return read(text)
        except UsageError as error:
            raise PolicyError(f"{case_name(written)}: {key}: {error}") from None

    def _image_id(self, name: str) -> str:
        """Return the id of an image of the case; for an unknown name, an id that no image has."""
        image_id = self._image_ids.get(name) or self._image_ids.get(f"{name}:latest")
        return image_id or f"sha256:{sha256(f'gone {name}'.encode()).hexdigest()}"


def _refuse_twice(names: Sequence[str]) -> None:
    for name, times in Counter(names).items():
        if times > 1:
            raise PolicyError(f"{name} stands in the case {times} times: objects of one kind need different names")


def _in_registry(written: ImageCase) -> bool | None:
    known = bool(texts(written.digests)) if written.in_registry is None else written.in_registry
    return None if known == UNKNOWN else bool(known)


def _labels(labels: Labels, project: str | None) -> tuple[Labels, str | None]:
    """Return labels and project: a project is a label, and a case may have either."""
    if project is None:
        return labels, project_in(labels)
    return {**labels, PROJECT: project}, project


def service_of(written: ServiceCase) -> Service:
    """Return a service."""
    spec = ServiceSpec(images=texts(written.image), mounts=tuple(_mounts(written)), networks=texts(written.networks))
    return Service(
        id=sha256(written.name.encode()).hexdigest()[:25],
        name=written.name,
        mode=written.mode,
        spec=ServiceSpec() if written.is_previous else spec,
        previous=spec if written.is_previous else None,
        running=written.running,
        desired=written.desired,
        completed=written.completed,
    )


def _mounts(written: ContainerCase | ServiceCase) -> Iterator[Mount]:
    for volume in texts(written.volumes):
        yield Mount(type="volume", volume=volume, source=None)
    for source in texts(written.binds):
        yield Mount(type="bind", volume=None, source=source)
    for image in texts(written.images):
        yield Mount(type="image", volume=None, source=image)

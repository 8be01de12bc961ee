"""What the ledger knows of compose projects: which used an object last, and where their files were."""

import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence

from msgspec.structs import replace

from dockersweep.ledger.rows import instant, seconds, storable
from dockersweep.model.changed_objects import with_objects
from dockersweep.model.inventory import Container, Image, Inventory, Network, Object, ObjectRef, Volume
from dockersweep.model.last_use import KnownProject, LastProject, PastUse
from dockersweep.model.naming import ref_of


def update_projects(database: sqlite3.Connection, engine: int, inventory: Inventory) -> Inventory:
    """Write down which projects use what now, and return the inventory with those that did before where none does.

    Uses that were noticed between two scans count too. An image that was once seen to have its label from another has
    it from there for good, also when that is gone.
    """
    known = _last_projects(database, engine)
    inherited = _inherited(database, engine)
    changed: dict[ObjectRef, Object] = {}
    users: dict[ObjectRef, tuple[LastProject, ...]] = {}
    for item in _used(inventory):
        ref = ref_of(item)
        before = known.get(ref, ())
        # Of most of a million objects nobody knows anything.
        last = _last(before, item.last_projects, item.uses) if item.last_projects or item.uses else before
        if last != before:
            users[ref] = last
        if last != item.last_projects:
            changed[ref] = item = replace(item, last_projects=last)
        if isinstance(item, Image) and (item.maybe_project is not None or ref in inherited):
            changed[ref] = replace(item, project=None, maybe_project=item.maybe_project or item.project)
    _keep_users(database, engine, users)
    doubtful = [ref for ref, one in changed.items() if isinstance(one, Image) and one.maybe_project is not None]
    database.executemany(
        "INSERT OR IGNORE INTO inherited_labels VALUES (?, ?, ?)", [(engine, ref.kind, ref.id) for ref in doubtful]
    )
    _keep_projects(database, engine, inventory.projects or ())
    _keep_noticed_projects(database, engine, inventory)
    now = with_objects(inventory, changed)
    _forget_projects(database, engine, set(_named(now)))
    return replace(now, projects=tuple(_projects(database, engine)))


def _last(
    before: Sequence[LastProject], now: Sequence[LastProject], uses: Sequence[PastUse]
) -> tuple[LastProject, ...]:
    """Return who used an object last: those who do now, or did when a use was noticed since. Who used it with all of
    these before still counts: no other has come since."""
    known = {one.project: one for one in before}
    latest = {one.project: one for one in now or _noticed(known, uses)}
    merged = latest if latest.keys() - known.keys() else known | latest
    return tuple(merged[project] for project in sorted(merged))


def _noticed(known: Mapping[str, LastProject], uses: Sequence[PastUse]) -> Iterator[LastProject]:
    """Yield the last use by a project that was noticed, where it is later than all that is known.

    The container is gone, and nothing tells whether it had its label from its image.
    """
    for use in uses:
        if use.project is not None:
            if all(one.at < use.at for one in known.values()):
                before = known.get(use.project)
                is_certain = before is not None and before.is_certain
                project, at = use.project, use.at
                yield LastProject(project=project, service=use.service, container=use.by, at=at, is_certain=is_certain)
            return


def _used(inventory: Inventory) -> Iterator[Image | Volume | Network]:
    """Yield what a project may have used; the kinds one by one, as there may be a million of one."""
    yield from inventory.images
    yield from inventory.volumes
    yield from inventory.networks


def _all(inventory: Inventory) -> Iterator[Container | Image | Volume | Network]:
    """Yield what may be of a project."""
    yield from inventory.containers
    yield from _used(inventory)


def _last_projects(database: sqlite3.Connection, engine: int) -> dict[ObjectRef, tuple[LastProject, ...]]:
    found: defaultdict[ObjectRef, list[LastProject]] = defaultdict(list)
    rows = database.execute(
        "SELECT kind, id, project, service, container, at, certain FROM last_projects WHERE engine = ? "
        "ORDER BY kind, id, project",
        (engine,),
    ).fetchall()
    for kind, object_id, project, service, container, at, certain in rows:
        use = LastProject(
            project=project, service=service, container=container, at=instant(at), is_certain=bool(certain)
        )
        found[ObjectRef(kind=kind, id=object_id)].append(use)
    return {ref: tuple(uses) for ref, uses in found.items()}


def _keep_users(database: sqlite3.Connection, engine: int, users: Mapping[ObjectRef, Sequence[LastProject]]) -> None:
    database.executemany(
        "DELETE FROM last_projects WHERE engine = ? AND kind = ? AND id = ?",
        [(engine, ref.kind, ref.id) for ref in users],
    )
    database.executemany(
        "INSERT OR REPLACE INTO last_projects VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                *(engine, ref.kind, ref.id, storable(one.project), _text(one.service), _text(one.container)),
                *(seconds(one.at), one.is_certain),
            )
            for ref, uses in users.items()
            for one in uses
        ],
    )


def _inherited(database: sqlite3.Connection, engine: int) -> set[ObjectRef]:
    rows = database.execute("SELECT kind, id FROM inherited_labels WHERE engine = ?", (engine,))
    return {ObjectRef(kind=kind, id=object_id) for kind, object_id in rows}


def _keep_projects(database: sqlite3.Connection, engine: int, projects: Sequence[KnownProject]) -> None:
    """Write down projects that have a container now. What did only `compose run` before may have services now."""
    database.executemany(
        "INSERT INTO projects VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (engine, project) DO UPDATE SET "
        "working_dir = coalesce(excluded.working_dir, working_dir), "
        "config_files = coalesce(excluded.config_files, config_files), "
        "container_at = max(excluded.container_at, container_at), "
        "has_services = max(excluded.has_services, has_services)",
        [
            (
                *(engine, storable(one.project), _text(one.working_dir), _text("\n".join(one.config_files))),
                *(seconds(one.container_at), one.has_services),
            )
            for one in projects
        ],
    )


def _keep_noticed_projects(database: sqlite3.Connection, engine: int, inventory: Inventory) -> None:
    """Write down when containers of projects were last heard of. One that no scan saw may be of `compose run`."""
    heard: dict[str, int] = {}
    for item in _all(inventory):
        for use in item.uses:
            if use.project is not None:
                heard[use.project] = max(heard.get(use.project, 0), seconds(use.at))
    database.executemany(
        "INSERT INTO projects VALUES (?, ?, NULL, NULL, ?, 0) ON CONFLICT (engine, project) DO UPDATE SET "
        "container_at = max(excluded.container_at, container_at)",
        [(engine, storable(project), at) for project, at in heard.items()],
    )


def _named(inventory: Inventory) -> Iterator[str]:
    """Yield the projects that objects name: their own, and those that used them."""
    for item in _all(inventory):
        if item.project is not None:
            yield item.project
    for used in _used(inventory):
        for one in used.last_projects:
            yield one.project
    yield from (one.maybe_project for one in inventory.containers if one.maybe_project is not None)
    yield from (one.maybe_project for one in inventory.images if one.maybe_project is not None)


def _forget_projects(database: sqlite3.Connection, engine: int, named: Collection[str]) -> None:
    """Forget projects of which nothing is left: reviews come and go, each under a name of its own."""
    kept = set(map(storable, named))
    known = database.execute("SELECT project FROM projects WHERE engine = ?", (engine,)).fetchall()
    gone = [(engine, project) for (project,) in known if project not in kept]
    database.executemany("DELETE FROM projects WHERE engine = ? AND project = ?", gone)


def _projects(database: sqlite3.Connection, engine: int) -> Iterator[KnownProject]:
    rows = database.execute(
        "SELECT project, working_dir, config_files, container_at, has_services FROM projects WHERE engine = ? "
        "ORDER BY project",
        (engine,),
    ).fetchall()
    for project, working_dir, config_files, container_at, has_services in rows:
        yield KnownProject(
            project=project,
            working_dir=working_dir,
            config_files=tuple((config_files or "").split("\n")) if config_files else (),
            container_at=instant(container_at),
            has_services=bool(has_services),
        )


def _text(text: str | None) -> str | None:
    return storable(text) if text else None

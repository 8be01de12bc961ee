"""What the ledger knows about compose projects: which of them used an object last, and where their files were."""

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
    """Record which projects use each object now; return the inventory with the last users of objects that none uses.

    Uses that were noticed between two scans count too. An image once seen to inherit its label from another image
    counts as inheriting it for good, even when the other one is gone.
    """
    known = _last_projects(database, engine)
    inherited = _inherited(database, engine)
    changed: dict[ObjectRef, Object] = {}
    users: dict[ObjectRef, tuple[LastProject, ...]] = {}
    for item in _used(inventory):
        ref = ref_of(item)
        before = known.get(ref, ())
        # There may be a million objects, and most have no known user.
        last = _last(before, item.last_projects, item.uses) if item.last_projects or item.uses else before
        if last != before:
            users[ref] = last
        if last != item.last_projects:
            changed[ref] = item = replace(item, last_projects=last)
        if isinstance(item, Image) and (item.maybe_project is not None or ref in inherited):
            changed[ref] = replace(item, project=None, maybe_project=item.maybe_project or item.project)
    _keep_users(database, engine, users)
    doubtful = [ref for ref, item in changed.items() if isinstance(item, Image) and item.maybe_project is not None]
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
    """Return the projects that used an object last: those that use it now, or did in a use noticed since. Earlier users
    stay in the list unless a project has come that is not among them."""
    known = {last.project: last for last in before}
    latest = {last.project: last for last in now or _noticed(known, uses)}
    merged = latest if latest.keys() - known.keys() else known | latest
    return tuple(merged[project] for project in sorted(merged))


def _noticed(known: Mapping[str, LastProject], uses: Sequence[PastUse]) -> Iterator[LastProject]:
    """Yield the last noticed use by a project, if it is later than all known ones.

    The container is gone, so whether it inherited its label from its image stays open.
    """
    for use in uses:
        if use.project is not None:
            if all(last.at < use.at for last in known.values()):
                before = known.get(use.project)
                is_certain = before is not None and before.is_certain
                project, at = use.project, use.at
                yield LastProject(project=project, service=use.service, container=use.by, at=at, is_certain=is_certain)
            return


def _used(inventory: Inventory) -> Iterator[Image | Volume | Network]:
    """Yield what a project may have used, without copying: there may be a million objects of a kind."""
    yield from inventory.images
    yield from inventory.volumes
    yield from inventory.networks


def _all(inventory: Inventory) -> Iterator[Container | Image | Volume | Network]:
    """Yield what may belong to a project."""
    yield from inventory.containers
    yield from _used(inventory)


def _last_projects(database: sqlite3.Connection, engine: int) -> dict[ObjectRef, tuple[LastProject, ...]]:
    last_uses: defaultdict[ObjectRef, list[LastProject]] = defaultdict(list)
    rows = database.execute(
        "SELECT kind, id, project, service, container, at, certain FROM last_projects WHERE engine = ? "
        "ORDER BY kind, id, project",
        (engine,),
    ).fetchall()
    for kind, object_id, project, service, container, at, certain in rows:
        use = LastProject(
            project=project, service=service, container=container, at=instant(at), is_certain=bool(certain)
        )
        last_uses[ObjectRef(kind=kind, id=object_id)].append(use)
    return {ref: tuple(uses) for ref, uses in last_uses.items()}


def _keep_users(database: sqlite3.Connection, engine: int, users: Mapping[ObjectRef, Sequence[LastProject]]) -> None:
    database.executemany(
        "DELETE FROM last_projects WHERE engine = ? AND kind = ? AND id = ?",
        [(engine, ref.kind, ref.id) for ref in users],
    )
    database.executemany(
        "INSERT OR REPLACE INTO last_projects VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                *(engine, ref.kind, ref.id, storable(use.project), _text(use.service), _text(use.container)),
                *(seconds(use.at), use.is_certain),
            )
            for ref, uses in users.items()
            for use in uses
        ],
    )


def _inherited(database: sqlite3.Connection, engine: int) -> set[ObjectRef]:
    rows = database.execute("SELECT kind, id FROM inherited_labels WHERE engine = ?", (engine,))
    return {ObjectRef(kind=kind, id=object_id) for kind, object_id in rows}


def _keep_projects(database: sqlite3.Connection, engine: int, projects: Sequence[KnownProject]) -> None:
    """Record projects that have a container now. One that had only `compose run` containers may have services now."""
    database.executemany(
        "INSERT INTO projects VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (engine, project) DO UPDATE SET "
        "working_dir = coalesce(excluded.working_dir, working_dir), "
        "config_files = coalesce(excluded.config_files, config_files), "
        "container_at = max(excluded.container_at, container_at), "
        "has_services = max(excluded.has_services, has_services)",
        [
            (
                *(
                    engine,
                    storable(project.project),
                    _text(project.working_dir),
                    _text("\n".join(project.config_files)),
                ),
                *(seconds(project.container_at), project.has_services),
            )
            for project in projects
        ],
    )


def _keep_noticed_projects(database: sqlite3.Connection, engine: int, inventory: Inventory) -> None:
    """Record when containers of projects were last noticed. One that no scan saw may come from `compose run`."""
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
    """Yield the projects that objects refer to: their own, and those that used them."""
    for item in _all(inventory):
        if item.project is not None:
            yield item.project
    for used in _used(inventory):
        for last in used.last_projects:
            yield last.project
    yield from (container.maybe_project for container in inventory.containers if container.maybe_project is not None)
    yield from (image.maybe_project for image in inventory.images if image.maybe_project is not None)


def _forget_projects(database: sqlite3.Connection, engine: int, named: Collection[str]) -> None:
    """Delete projects that nothing refers to: review apps come and go, each under its own name."""
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

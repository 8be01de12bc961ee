"""Findings about the engine: its build cache, old image stores, disks. The function that finds each, and its row."""

from collections.abc import Iterator

from dockersweep.model.disk import Disk
from dockersweep.model.naming import typed_name
from dockersweep.model.quantities import known_sum
from dockersweep.model.report import ReportedDisk
from dockersweep.policy.disk_report.evidence import Evidence
from dockersweep.policy.disk_report.finding_facts import FindingFacts
from dockersweep.policy.disk_report.finding_row import NEW_FILE, FindingRow, FixTemplate
from dockersweep.units import format_size
from dockersweep.words.ages import unwatched_age_text, unwatched_share_text
from dockersweep.words.amounts import percent_as_df, plural
from dockersweep.words.reasons import about_text

NEARLY_FULL_PERCENT = 95
FILLS_UP_PERCENT = 85
SOON_DAYS = 30
LARGE_CACHE_BYTES = 1_000_000_000
LARGE_ARTIFACTS_BYTES = 100_000_000
_NOTHING_GOES_THERE = FixTemplate(
    "the rules free nothing there; [target] start_above in your policy file removes more of what is unused, if any "
    f"of it is there {NEW_FILE}, and du -x shows what else fills the disk",
)


def cache_over_limit(facts: FindingFacts) -> Iterator[Evidence]:
    """Yield the size of a cache over the engine's own limit: builds may need all of it, or no collection ran yet."""
    limit, size = facts.inventory.cache_limit, _cache_bytes(facts)
    if limit is not None and limit.size_bytes is not None and size is not None and size > limit.size_bytes:
        title = f"{format_size(size)}, over {format_size(limit.size_bytes)}"
        yield Evidence(f"the limit is from {limit.source}", size, title=title)


def cache_without_limit(facts: FindingFacts) -> Iterator[Evidence]:
    """Yield the size of a large cache without a limit."""
    limit, size = facts.inventory.cache_limit, _cache_bytes(facts)
    if limit is not None and limit.size_bytes is None and size is not None and size >= LARGE_CACHE_BYTES:
        yield Evidence(f"there is no limit by {limit.source}", size, title=format_size(size))


def large_artifacts(facts: FindingFacts) -> Iterator[Evidence]:
    """Yield Podman's artifacts, where they are large together: only `podman artifact rm` removes them."""
    store = facts.inventory.folder.artifacts if facts.inventory.folder else None
    if store is not None and store.size_bytes >= LARGE_ARTIFACTS_BYTES:
        for artifact in store.artifacts:
            text = f"{artifact.name}: {format_size(artifact.size_bytes)}"
            yield Evidence(text, artifact.size_bytes, name=artifact.name)


def _cache_bytes(facts: FindingFacts) -> int | None:
    """Return the size that the engine compares with its limit: records that images share do not count."""
    return known_sum(record.size_bytes for record in facts.inventory.build_cache or () if not record.shared)


def left_stores(facts: FindingFacts) -> Iterator[Evidence]:
    """Yield the folders of image stores that the engine used before it was switched to another."""
    for store in facts.inventory.folder.left_stores if facts.inventory.folder else ():
        text = f"{store.folder} ({store.driver}): {format_size(store.size_bytes)}"
        yield Evidence(text, store.size_bytes, places=store.places or (store.folder,))


def disks_nearly_full(facts: FindingFacts) -> Iterator[Evidence]:
    """Yield the usage of each disk that has less than 5% of its bytes or inodes free."""
    for row in facts.disks:
        yield from _full(facts, row, NEARLY_FULL_PERCENT, 101)


def disks_that_fill_up(facts: FindingFacts) -> Iterator[Evidence]:
    """Yield the usage of each disk that is over 85% full and not yet nearly full."""
    for row in facts.disks:
        if not list(_full(facts, row, NEARLY_FULL_PERCENT, 101)):
            yield from _full(facts, row, FILLS_UP_PERCENT, NEARLY_FULL_PERCENT)


def _full(facts: FindingFacts, row: ReportedDisk, least: float, below: float) -> Iterator[Evidence]:
    disk = row.disk
    # Some file systems have no blocks of their own, and report sizes of 0.
    if disk.usable <= 0:
        return
    which, percent = _which(facts, disk), percent_as_df(disk.used, disk.usable)
    if least <= percent < below:
        text = f"{which}{format_size(disk.free_bytes)} of {format_size(disk.total_bytes)} free"
        rank = disk.used / disk.usable
        title = f"{which}{percent}% of its bytes used"
        yield Evidence(text, disk.used, rank=rank, title=title, fix_helps=_frees_something(row))
    if not disk.total_inodes or disk.free_inodes is None:
        return
    inodes_used = disk.total_inodes - disk.free_inodes
    percent = percent_as_df(inodes_used, disk.total_inodes)
    if least <= percent < below:
        text = f"{which}{disk.free_inodes:,} of {disk.total_inodes:,} inodes free"
        rank = inodes_used / disk.total_inodes
        title = f"{which}{percent}% of its inodes used"
        yield Evidence(text, rank=rank, title=title, fix_helps=_frees_something(row))


def _frees_something(row: ReportedDisk) -> bool:
    """Whether the policy frees, or may free, anything on a disk."""
    return row.reclaimable is None or row.reclaimable.high_bytes != 0


def _which(facts: FindingFacts, disk: Disk) -> str:
    """Return the beginning of a sentence about one of several disks; empty where there is only one."""
    return f"{disk.name}: " if len(facts.disks) > 1 else ""


def disks_full_soon(facts: FindingFacts) -> Iterator[Evidence]:
    """Yield the trend of each disk that is full within 30 days at the rate of the last scans."""
    for row in facts.disks:
        filling = row.filling
        if filling is None or filling.full_in_days is None or filling.full_in_days > SOON_DAYS:
            continue
        which, days = _which(facts, row.disk), round(filling.full_in_days)
        title = f"{which}in less than a day" if not days else f"{which}in about {days} days"
        yield Evidence(f"{which}{filling.text}", rank=-filling.full_in_days, title=title)


def hardly_watched(facts: FindingFacts) -> Iterator[Evidence]:
    """Yield what rules with unused_for keep because events were lost or not read."""
    rules = {unwatched.rule for unwatched in facts.unwatched}
    shares = {unwatched_share_text(unwatched.about) for unwatched in facts.unwatched}
    # Mostly all have the same share.
    share = f"; {shares.pop()}" if len(shares) == 1 else ""
    words = unwatched_age_text if share else about_text
    title = f"{plural(len(facts.unwatched), 'object')} by {plural(len(rules), 'rule')}{share}"
    for unwatched in facts.unwatched:
        decision = unwatched.decision
        ref = decision.ref
        size = facts.objects[ref].size_bytes
        text = f'{ref.kind} {decision.name}: {format_size(size)}, rule "{unwatched.rule}": {words(unwatched.about)}'
        yield Evidence(text, size, name=f"{ref.kind}:{typed_name(ref, decision.name)}", title=title)


ENGINE_FINDINGS = (
    FindingRow(
        "DS011",
        "warning",
        title_of_one="the build cache is over the engine's own limit: {}",
        title_of_many="the build cache is over the engine's own limit: {}",
        fix=FixTemplate(
            "{command}; if it stays over the limit, builds need all of it at once: raise the limit",
            command="dockersweep sweep --kind build-cache",
        ),
        find=cache_over_limit,
    ),
    FindingRow(
        "DS012",
        "note",
        title_of_one="nothing limits the build cache: {}",
        title_of_many="nothing limits the build cache: {}",
        fix=FixTemplate(
            'write "builder": {{"gc": {{"enabled": true, "defaultKeepStorage": "20GB"}}}} into '
            "/etc/docker/daemon.json, or run dockersweep sweep --yes daily",
        ),
        find=cache_without_limit,
    ),
    FindingRow(
        "DS013",
        "warning",
        title_of_one="1 image store was left behind when the engine switched to another",
        title_of_many="{} image stores were left behind when the engine switched to another",
        fix=FixTemplate(
            "set the engine back to the former store to see and remove what is in it; or, when nothing of it is "
            "wanted, stop the engine and all containers, and remove {places}: all of these, as the engine fails with "
            "a part of a store when it is set back to it",
        ),
        find=left_stores,
    ),
    FindingRow(
        "DS015",
        "critical",
        title_of_one="the disk is nearly full: {}",
        title_of_many="the disk is nearly full: {}",
        fix=FixTemplate(
            f"{{command}}; to free more than the rules do, add [target] start_above to your policy file {NEW_FILE}",
            command="dockersweep sweep",
        ),
        find=disks_nearly_full,
        fix_of_the_rest=_NOTHING_GOES_THERE,
    ),
    FindingRow(
        "DS016",
        "warning",
        title_of_one="the disk fills up: {}",
        title_of_many="the disk fills up: {}",
        fix=FixTemplate(
            '{command}; for the future add [target] start_above = "85%" and stop_below = "70%" to your policy file '
            + NEW_FILE,
            command="dockersweep sweep",
        ),
        find=disks_that_fill_up,
        fix_of_the_rest=_NOTHING_GOES_THERE,
    ),
    FindingRow(
        "DS017",
        "warning",
        title_of_one="the disk is full soon: {}",
        title_of_many="the disk is full soon: {}",
        fix=FixTemplate(
            "if the engine is what grows, run dockersweep sweep --yes daily; du -x shows what else fills the disk",
        ),
        find=disks_full_soon,
    ),
    FindingRow(
        "DS020",
        "note",
        title_of_one="not watched for long enough, so kept: {}",
        title_of_many="not watched for long enough, so kept: {}",
        fix=FixTemplate(
            "run dockersweep scan every few minutes, with the ledger that sweep has: Docker forgets events, and "
            "those of Podman do not name the volumes and networks of a container that is gone; or use "
            "remove.older_than, which needs no watched time; {command} shows when nobody was watching",
            command="dockersweep explain {name}",
        ),
        find=hardly_watched,
    ),
    FindingRow(
        "DS026",
        "note",
        title_of_one="1 artifact is large, and no prune removes it",
        title_of_many="{} artifacts are large, and no prune removes them",
        fix=FixTemplate(
            "look at all with podman artifact ls, and {command} if it is no longer needed and no container mounts it",
            command="podman artifact rm {name}",
        ),
        find=large_artifacts,
    ),
)

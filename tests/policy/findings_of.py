"""The findings of a report of some objects, for tests."""

from typing import Any

import msgspec

from dockersweep.model.disk import Disk
from dockersweep.model.inventory import Container, Image, Inventory, Object, Volume
from dockersweep.model.report import Finding, Report
from dockersweep.policy.disk_report import Past
from dockersweep.policy.language.default_policy import DEFAULT_POLICY
from tests.rig.inventories import ago, image, inventory, report_of, volume

MEGA, GIGA = 1_000_000, 1_000_000_000


def report(seen: Inventory, past: Past | None = None, silenced: tuple[str, ...] = ()) -> Report:
    policy = msgspec.structs.replace(DEFAULT_POLICY, silenced_findings=silenced)
    return report_of(seen, policy, past)


def findings_in(*objects: Object, past: Past | None = None, **fields: Any) -> dict[str, Finding]:
    """Return the findings in an inventory of these objects, by id."""
    seen = msgspec.structs.replace(inventory(*objects), **fields)
    return {finding.id: finding for finding in report(seen, past).findings}


def changed(one: Container, **fields: Any) -> Container:
    return msgspec.structs.replace(one, **fields)


def disk(percent_used: float, inodes_used: float = 1) -> Disk:
    return Disk(
        total_bytes=100 * GIGA,
        free_bytes=round((100 - percent_used) * GIGA),
        total_inodes=1000,
        free_inodes=round(1000 - 10 * inodes_used),
    )


def idle_volume(name: str, project: str | None = None) -> Volume:
    """A volume that scans have seen unused for long."""
    seen = volume(name, anonymous=False, created=ago(days=90))
    seen_at = {"first_seen_at": ago(days=80), "first_seen_unused_at": ago(days=40)}
    return msgspec.structs.replace(seen, project=project, **seen_at)


def idle_image(number: int, repository: str) -> Image:
    seen = image(f"{repository}{number}", f"{repository}:{number}", first_unused=ago(days=40))
    return msgspec.structs.replace(seen, built_at=ago(days=100 - number))

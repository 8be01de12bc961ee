"""Whether judging and planning is linear: inventories of 10,000, 100,000 and 1,000,000 objects under 20 rules.

    tests/bench/planning [COUNT ...]

Each size is planned in a process of its own, so that memory is that of one. A half of the objects is of projects whose
rules remove, keep and count; no engine is needed.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from random import Random

from msgspec.structs import replace

from dockersweep.commands.python_gc import without_collector
from dockersweep.model.inventory import Object
from dockersweep.policy.judging.survey import Survey
from dockersweep.policy.language.reading import read_policy
from dockersweep.policy.planning.planner import make_plan
from tests.bench.measure import write_row
from tests.rig.inventories import NOW, container, image, inventory, network, record, volume

COUNTS = (10_000, 100_000, 1_000_000)
MOST_TIMES, MOST_SECONDS, MOST_BYTES = 12.0, 20.0, 1_400_000_000

POLICY = """
version = 1
[protect]
labels = ["keep", "env=prod*"]
names = ["prod-*", "/^db-[0-9]+$/"]
images = ["registry.example.com/base/*", "*:stable"]
projects = ["billing"]
younger_than = "1h"
""" + "".join(
    f"""
[[rule]]
name = "{name}"
kind = "{kind}"
{text}
"""
    for name, kind, text in (
        ("jobs", "container", 'match.name = "/job-[0-9]*7$/"\nremove.stopped_for = "1d"'),
        (
            "failed",
            "container",
            'match.exit_code = [1, 2]\nkeep.last = 3\nkeep.group_by = "project"\nremove.stopped_for = "7d"',
        ),
        ("labelled", "container", 'match.labels = ["scratch=true", "tmp"]\nremove.older_than = "2h"'),
        ("stopped", "container", 'match.state = ["exited", "dead"]\nnot.labels = "hold"\nremove.older_than = "30d"'),
        (
            "releases",
            "image",
            'match.repository = "registry.example.com/app*"\nkeep.last = 5\nkeep.daily = 7\nremove.unused_for = "5d"',
        ),
        ("versions", "image", 'match.repository = "team/*"\nkeep.minors = 3\nremove.older_than = "14d"'),
        (
            "nightly",
            "image",
            'match.tag = ["nightly-*", "/^pr-[0-9]+$/"]\nkeep.within = "3d"\nremove.older_than = "3d"',
        ),
        ("dangling", "image", 'match.tagged = false\nremove.older_than = "24h"'),
        ("large", "image", 'match.size_over = "900MB"\nremove.built_over = "30d"'),
        ("old builds", "image", "match.recoverable = true\nremove.built_before = 2020-01-01"),
        ("scratch", "volume", 'match.labels = ["scratch=true"]\nremove.older_than = "3d"'),
        ("anonymous", "volume", 'match.anonymous = true\nmatch.driver = "local"\nremove.unused_for = "2d"'),
        ("backups", "volume", 'match.name = "backup-*"\nkeep.last = 10\nkeep.monthly = 12\nremove.older_than = "30d"'),
        ("of projects", "volume", 'match.project = "/^test-/"\nremove.older_than = "7d"'),
        ("networks", "network", 'not.name = "front*"\nremove.older_than = "1d"'),
        ("networks of projects", "network", 'match.project = "test-*"\nremove.older_than = "1h"'),
        ("sources", "build-cache", 'match.type = "source.*"\nremove.older_than = "2d"'),
        ("mounts", "build-cache", 'match.type = "exec.cachemount"\nremove.older_than = "60d"'),
        ("big cache", "build-cache", 'match.size_over = "100MB"\nremove.older_than = "5d"'),
        ("cache", "build-cache", 'match.size_under = "100MB"\nremove.older_than = "30d"'),
    )
)


def objects(count: int) -> Iterator[Object]:
    """Yield so many objects, the same each time."""
    random = Random(count)
    for number in range(count // 5):
        days = random.randrange(60)
        seen = NOW - timedelta(days=days, minutes=random.randrange(1000))
        labels = random.choice([{}, {"scratch": "true"}, {"keep": ""}, {"env": "dev", "app": "x"}, {"tmp": "1"}])
        project = random.choice([None, "billing", f"test-{number % 50}", "shop"])
        name = random.choice(["job", "db", "web", "backup", "prod"])
        state = random.choice(["exited", "running", "created"])
        # Of every third image no container is made, but of the one after it two.
        used = f"sha256:i{number + (number % 3 == 0)}"
        made = container(
            f"{name}-c{number}", state, finished=seen, created=seen, image=used, volumes=[f"v{number}"],
            networks=[f"net-{number}"], labels=labels,
        )  # fmt: skip
        yield replace(made, exit_code=number % 4, project=project)
        repository = random.choice(
            ["registry.example.com/app", "team/tool", "lone/image", "registry.example.com/base/os"]
        )
        tags = [f"{repository}{number % 997}:{kind}" for kind in (f"1.{number % 40}.{number}", f"nightly-{number}")]
        digests = [f"{repository}@sha256:{number:064x}"] if number % 3 else []
        survey = image(f"i{number if number % 3 else -number}", *tags[: number % 3], digests=digests, first_seen=seen)
        yield replace(survey, built_at=seen, size_bytes=random.randrange(10**9), labels=labels, project=project)
        held = volume(
            f"{'v' if number % 2 else 'backup-'}{number}", anonymous=number % 2 == 0, created=seen, labels=labels
        )
        yield replace(held, project=project, first_seen_at=seen, first_seen_unused_at=seen)
        yield replace(network(f"n{number}", created=seen), project=project, labels=labels)
        parents = [f"r{number - 1}"] if number % 10 else []
        step = record(f"r{number}", *parents, last_used=seen, size=random.randrange(10**9))
        yield replace(step, type=random.choice(["regular", "source.local", "exec.cachemount"]))


def measure(count: int) -> dict[str, float]:
    """Return the seconds and the memory of one plan, in bytes, and how much it removes."""
    policy = read_policy(POLICY.encode(), "the benchmark")
    seen = Survey(inventory(*objects(count)), NOW)
    before = time.process_time(), time.monotonic()
    with without_collector():
        plan = make_plan(seen, policy)
    return {
        "objects": len(plan.decisions),
        "removals": len(plan.removals),
        "processor": time.process_time() - before[0],
        "seconds": time.monotonic() - before[1],
        "bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }


def main(arguments: Sequence[str]) -> int:
    """Measure each size and print a table; return 1 where a bound is not met."""
    if arguments[:1] == ["--one"]:
        sys.stdout.write(json.dumps(measure(int(arguments[1]))))
        return 0
    counts = [int(argument) for argument in arguments] or COUNTS
    sys.stdout.write(
        "| objects | removals | seconds | times those of the row above | memory |\n|---:|---:|---:|---:|---:|\n"
    )
    before: float | None = None
    is_met = True
    for count in counts:
        command = [sys.executable, "-m", "tests.bench.planning", "--one", str(count)]
        told = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        times = "" if before is None else f"{told['seconds'] / before:.1f}"
        is_met &= not times or float(times) <= MOST_TIMES
        is_met &= told["seconds"] <= MOST_SECONDS and told["bytes"] <= MOST_BYTES
        before = told["seconds"]
        measured = f"{told['seconds']:.2f}", times, f"{told['bytes'] / 1e6:,.0f} MB"
        write_row(f"{told['objects']:,}", f"{told['removals']:,}", *measured)
    return 0 if is_met else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The task of each host of a run."""

import sys
from collections.abc import Callable
from functools import partial

from dockersweep.commands.fleet.acquaintance import why_strange
from dockersweep.commands.fleet.host_options import HostVerbOptions, policy_path
from dockersweep.commands.fleet.host_process import HostTask
from dockersweep.commands.fleet.verb_parts import VerbParts
from dockersweep.commands.gather import policy_digest
from dockersweep.fleet.hosts import Hosts

Run = Callable[[HostVerbOptions], int]
"""Carries out a verb on one engine, and returns the exit status."""


def tasks_of(hosts: Hosts, parts: VerbParts, options: HostVerbOptions, folder: str, run: Run) -> list[HostTask]:
    """Return the tasks, numbered in the order of the hosts; their documents go to `folder`."""
    digests = {path: policy_digest(policy) for path, policy in parts.policies.items()}
    return [
        HostTask(
            host=host,
            run=run,
            options=options,
            uses_ledger=parts.engine.uses_ledger,
            on_answer=partial(why_strange, parts.engine.uses_ledger),
            is_watched=any(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)),
            summed=parts.summed,
            folder=folder,
            number=number,
            connect_timeout_seconds=hosts.connect_timeout_seconds,
            policy_sha256=None if parts.policy is None else digests[policy_path(host, parts.policy)],
            policy_source=None if parts.policy is None else parts.policies[policy_path(host, parts.policy)].source,
            keeps_stderr=parts.output.log_format != "text",
        )
        for number, host in enumerate(hosts.hosts)
    ]

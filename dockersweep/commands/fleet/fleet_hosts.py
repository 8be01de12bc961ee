"""Which hosts a run has: of the flags, of docker's contexts or of a fleet file.

Everything that can be known to be wrong without asking a host is told at once, before any is asked.
"""

import os
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from dockersweep.commands.policy_source import LARGEST_BYTES, NO_FILE, read_policy_at, readable
from dockersweep.commands.trusted_file import read_trusted
from dockersweep.engine.api.contexts import contexts_with_engine
from dockersweep.engine.api.endpoint import docker_config_folder, resolve_endpoint
from dockersweep.errors import HostsError, PolicyError, UsageError
from dockersweep.files import state_of
from dockersweep.fleet.hosts import Host, Hosts
from dockersweep.fleet.reading import FleetReading, WrittenHost, read_fleet_file, rollout_of
from dockersweep.fleet.selecting import Selection, selected
from dockersweep.model.engine_address import TlsFlags
from dockersweep.model.fleetfile import HostTable
from dockersweep.policy.language.problems import KeyProblem
from dockersweep.policy.language.toml_positions import Path
from dockersweep.units import parse_age

MOST_PROBLEMS = 20
"""How many problems are told, a line each."""


class NamedHosts(Struct, frozen=True, kw_only=True):
    """What the command line says of its hosts."""

    hosts: tuple[str, ...] = ()
    """Every --host."""
    contexts: tuple[str, ...] = ()
    """Every --context."""
    all_contexts: bool = False
    fleet: str | None = None
    """The path of the fleet file; `-` is standard input."""
    tls: TlsFlags | None = None
    selection: Selection = Selection()


def fleet_hosts(named: NamedHosts, environment: Mapping[str, str]) -> Hosts:
    """Return the hosts that are named and selected.

    Raises HostsError with everything that is wrong with them, and UsageError for flags that contradict each other and
    for a selection of nothing.
    """
    ways = (
        ("--host", named.hosts),
        ("--context", named.contexts),
        ("--all-contexts", named.all_contexts),
        ("--fleet", named.fleet is not None),
    )
    used = [flag for flag, is_used in ways if is_used]
    if len(used) > 1:
        raise UsageError(f"{used[0]} and {used[1]} name the hosts each: give one of them")
    if named.fleet is not None:
        if named.tls is not None:
            raise UsageError("a fleet file has tlsverify and the like for each host: leave out the TLS flags")
        return _of_file(named.fleet, named.selection, environment)
    contexts = _all_contexts(environment) if named.all_contexts else named.contexts
    of_urls = zip(_names(named.hosts), named.hosts, strict=True)
    hosts = [Host(name=name, host=url, tls=named.tls) for name, url in of_urls]
    hosts += [Host(name=name, context=name, tls=named.tls) for name in contexts]
    problems = list(_of_flags(hosts, environment))
    if problems:
        raise HostsError(*_cut(problems, "there are"))
    return Hosts(hosts=selected(hosts, named.selection))


def _names(urls: Sequence[str]) -> list[str]:
    """Return the names of hosts that only have URLs: "root@build1" of ssh://root@build1, the whole of others."""
    short = [url.removeprefix("ssh://").removeprefix("tcp://") for url in urls]
    return short if len(set(short)) == len(short) else list(urls)


def _of_flags(hosts: Sequence[Host], environment: Mapping[str, str]) -> Iterator[str]:
    for host, times in Counter(hosts).items():
        problem = _of_address(host, environment, are_keys=False)
        if problem is not None:
            yield problem
        elif times > 1:
            yield f"{host.address} is named {times} times: name each host once"


def _all_contexts(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return docker's contexts that have an engine: "default", which docker always has, where there is one."""
    folder = docker_config_folder(environment)
    names = contexts_with_engine(folder)
    socket = resolve_endpoint(None, "default", environment).socket
    if socket is None or _may_be_there(socket):
        names = ["default", *names]
    if not names:
        raise UsageError(f"no context under {folder} has an engine: name the hosts with --host")
    return tuple(names)


def _may_be_there(path: str) -> bool:
    try:
        return state_of(path) is not None
    except OSError:
        return True


def _of_file(path: str, selection: Selection, environment: Mapping[str, str]) -> Hosts:
    reading = read_fleet_file(read_trusted(path, "fleet file", LARGEST_BYTES, HostsError))
    folder = os.path.dirname(path)
    problems = reading.all_problems([*_of_policies(reading, folder), *_of_addresses(reading, folder, environment)])
    if problems:
        shown = readable(path)
        raise HostsError(*_cut([problem.in_file(shown) for problem in problems], f"{shown} has"))
    defaults = reading.defaults
    hosts = [
        Host(
            name=written.table.name,
            host=written.table.host,
            context=written.table.context,
            groups=tuple(written.table.groups),
            policy=_policy_path(written.table.policy or defaults.policy, folder),
            tls=_tls(written.table, folder),
        )
        for written in reading.hosts
    ]
    kept = selected(hosts, selection)
    timeout = defaults.connect_timeout
    return Hosts(
        hosts=kept,
        parallel=defaults.parallel,
        connect_timeout_seconds=None if timeout is None else float(parse_age(timeout).seconds),
        rollout=rollout_of(reading.rollout, len(kept)),
    )


def _cut(sentences: Sequence[str], there_are: str) -> list[str]:
    more = len(sentences) - MOST_PROBLEMS
    if more <= 0:
        return list(sentences)
    return [*sentences[:MOST_PROBLEMS], f"{there_are} {more} more problem{'s' if more > 1 else ''}"]


def _policy_path(written: str | None, folder: str) -> str | None:
    return written if written in (None, NO_FILE) else os.path.join(folder, written)


def _tls(table: HostTable, folder: str) -> TlsFlags | None:
    files = {"ca": table.tlscacert, "cert": table.tlscert, "key": table.tlskey}
    if not table.tlsverify and not any(files.values()):
        return None
    paths = {name: None if file is None else os.path.join(folder, file) for name, file in files.items()}
    return TlsFlags(verify=table.tlsverify, **paths)


def _of_policies(reading: FleetReading, folder: str) -> Iterator[KeyProblem]:
    """Yield what is wrong with the policies that a fleet file names, each at the first key that names it."""
    named: dict[str, Path] = {}
    if reading.defaults.policy is not None:
        named[reading.defaults.policy] = ("defaults", "policy")
    for written in reading.hosts:
        if written.table.policy is not None:
            named.setdefault(written.table.policy, (*written.path, "policy"))
    for policy, key in named.items():
        problem = _of_policy(policy, folder)
        if problem is not None:
            yield KeyProblem(key, problem, at="value")


def _of_policy(written: str, folder: str) -> str | None:
    """Return what is wrong with a policy, with its own place; None if it is valid."""
    if written == "-":
        return "standard input cannot be the policy of several hosts: name a file"
    path = _policy_path(written, folder)
    if path is None or path == NO_FILE:
        return None
    try:
        read_policy_at(path).valid_policy(f"dockersweep policy check {shlex.quote(readable(path))}")
    except PolicyError as error:
        return str(error)
    return None


def _of_addresses(reading: FleetReading, folder: str, environment: Mapping[str, str]) -> Iterator[KeyProblem]:
    for written in reading.hosts:
        if not written.has_address:
            continue
        table = written.table
        host = Host(name=table.name, host=table.host, context=table.context, tls=_tls(table, folder))
        problem = _of_address(host, environment, are_keys=True)
        if problem is not None:
            yield KeyProblem((*written.path, _wrong_key(written, environment)), problem, at="value")


def _of_address(host: Host, environment: Mapping[str, str], *, are_keys: bool) -> str | None:
    """Return what is wrong with the address of a host, its context or its TLS files; None if nothing is."""
    try:
        resolve_endpoint(host.host, host.context, environment, host.tls, are_keys=are_keys)
    except UsageError as error:
        return str(error)
    return None


def _wrong_key(written: WrittenHost, environment: Mapping[str, str]) -> str:
    """Return the key to look at: the address, or if that is good by itself the first that is about TLS."""
    table = written.table
    of_tls = [key for key in ("tlsverify", "tlscacert", "tlscert", "tlskey") if getattr(table, key)]
    by_itself = Host(name=table.name, host=table.host, context=table.context)
    if of_tls and _of_address(by_itself, environment, are_keys=True) is None:
        return of_tls[0]
    return "context" if table.host is None else "host"

"""The types of a fleet file, `fleet.toml`, as written: the tables, their keys and values.

`fleet.reading` reads one; `dockersweep schema fleet-file` prints these types for editors.
"""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from dockersweep.model.policyfile import NameText, PercentText, TimeoutText, WaitText, schema_of_toml

_Text = Annotated[str, Meta(min_length=1)]
_Count = Annotated[int, Meta(ge=1)]
_Failures = Annotated[int, Meta(ge=0)]
PARALLEL = 16
"""How many hosts are at work at the same time where nothing else is said."""


def _says(text: str) -> Meta:
    return Meta(description=text)


class _Table(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A table of the file: a key that it does not have is an error."""


class DefaultsTable(_Table, frozen=True, kw_only=True):
    """What holds for every host that says nothing else."""

    policy: Annotated[_Text | None, _says("The policy file, relative to this file.")] = None
    parallel: Annotated[_Count, _says("How many hosts are at work at the same time.")] = PARALLEL
    connect_timeout: Annotated[TimeoutText | None, _says("How long a host may take until its engine answers.")] = None


class HostTable(_Table, frozen=True, kw_only=True):
    """One host; it has either `host` or `context`."""

    name: Annotated[NameText, _says("What the output calls it; each has its own.")]
    host: Annotated[_Text | None, _says("The URL of its engine: unix://, tcp:// or ssh://.")] = None
    context: Annotated[_Text | None, _says("The docker context of its engine.")] = None
    groups: Annotated[list[NameText], _says("The groups it belongs to, for --group.")] = []
    policy: Annotated[_Text | None, _says("Its policy file, in place of the default, relative to this file.")] = None
    tlsverify: Annotated[bool, _says("Speak TLS on tcp://, and check the certificate.")] = False
    tlscacert: Annotated[_Text | None, _says("Trust only this authority; relative to this file.")] = None
    tlscert: Annotated[_Text | None, _says("The client certificate; relative to this file.")] = None
    tlskey: Annotated[_Text | None, _says("Its key; relative to this file.")] = None


class RolloutTable(_Table, frozen=True, kw_only=True):
    """How `sweep` and `apply` go from host to host."""

    canary: Annotated[_Failures, _says("How many hosts go first, alone; all of them must end well.")] = 0
    max_failures: Annotated[
        _Failures | PercentText | None,
        _says("With more failures than this, or than this share of the hosts, no further host is begun."),
    ] = None
    splay: Annotated[
        WaitText | None, _says("Each host waits a random time of at most this long first, where nobody watches.")
    ] = None


class FleetFile(_Table, frozen=True, kw_only=True):
    """A fleet file: hosts, and how they are reached and swept."""

    version: Annotated[Literal[1], _says("The version of this format.")]
    defaults: Annotated[DefaultsTable, _says("What holds for every host that says nothing else.")] = DefaultsTable()
    host: Annotated[list[HostTable], Meta(min_length=1), _says("The hosts, in the order of the output.")]
    rollout: Annotated[RolloutTable, _says("How sweep and apply go from host to host.")] = RolloutTable()


def fleet_file_schema() -> dict[str, Any]:
    """Return the JSON Schema of a fleet file, for editors."""
    return schema_of_toml(FleetFile, "fleet.toml")

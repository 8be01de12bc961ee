"""What several hosts need to know of the options of a verb."""

from collections.abc import Mapping

from msgspec import Struct

from dockersweep.commands.fleet.host_options import HostVerbOptions
from dockersweep.commands.fleet.host_process import Summed
from dockersweep.commands.options import (
    EngineOptions,
    ExplainOptions,
    OutputOptions,
    PlanOptions,
    PolicyOptions,
    ReportOptions,
    ScanOptions,
    SweepOptions,
)
from dockersweep.errors import UsageError
from dockersweep.model.fleet import FleetVerb
from dockersweep.model.inventory import Inventory
from dockersweep.model.outcome import OutcomeDocument
from dockersweep.model.plan import Plan
from dockersweep.model.policy import Policy
from dockersweep.model.report import Report
from dockersweep.report.detail import Detail
from dockersweep.warehouse.database import require_duckdb

NEED_DUCKDB = ("html", "prometheus")
"""The formats of a report that are of all hosts, so that there is nothing to show without DuckDB."""


class VerbParts(Struct, frozen=True):
    """The parts of the options of a verb that has several hosts."""

    name: FleetVerb
    engine: EngineOptions
    output: OutputOptions
    policy: PolicyOptions | None
    """None for a verb without one."""
    summed: Summed | None
    """The type of its document, if that has figures to sum up."""
    detail: Detail = "grouped"
    only_problems: bool = False
    quiet: bool = False
    policies: Mapping[str | None, Policy] = {}
    """Path -> the policy in force there, as `policies_of` returns it, once the hosts are known."""


def parts_of(options: HostVerbOptions) -> VerbParts:
    """Return the parts of the options; raises UsageError for what only one engine can have."""
    parts = _parts(options)
    if parts.engine.inventory is not None:
        raise UsageError("--inventory is of one engine: `dockersweep fleet report FOLDER` reads those of several")
    if parts.policy is not None and parts.policy.path == "-":
        raise UsageError("a policy on standard input can be read only once: name a file for several hosts")
    if parts.output.format == "parquet":
        raise UsageError("--format parquet is of one engine: write --format json, which `dockersweep fleet` reads too")
    if parts.output.format in NEED_DUCKDB:
        require_duckdb()
    _refuse_unfit(options)
    return parts


def _parts(options: HostVerbOptions) -> VerbParts:
    if isinstance(options, ScanOptions):
        return VerbParts("scan", options.engine, options.output, None, Inventory, options.detail, quiet=options.quiet)
    if isinstance(options, PlanOptions):
        return _of_plan(options)
    if isinstance(options, SweepOptions) and options.dry_run:
        return _of_plan(options.plan)
    if isinstance(options, ReportOptions):
        return VerbParts(
            "report", options.engine, options.output, options.policy, Report,
            only_problems=options.only_problems, quiet=options.quiet,
        )  # fmt: skip
    if isinstance(options, ExplainOptions):
        return VerbParts("explain", options.engine, options.output, options.policy, None)
    run = options.run
    name: FleetVerb = "sweep" if isinstance(options, SweepOptions) else "apply"
    return VerbParts(
        name, run.engine, run.output, options.policy, OutcomeDocument, run.detail, run.only_problems, run.quiet
    )


def _of_plan(options: PlanOptions) -> VerbParts:
    return VerbParts(
        "plan", options.engine, options.output, options.policy, Plan,
        options.detail, options.only_problems, options.quiet,
    )  # fmt: skip


def _refuse_unfit(options: HostVerbOptions) -> None:
    if isinstance(options, ScanOptions) and (options.selects or options.quiet):
        raise UsageError(
            "--kind, --filter, --all, --sort, --no-header and --quiet list the objects of one engine: leave them out, "
            "or name one"
        )
    if isinstance(options, PlanOptions) and (options.at is not None or options.within is not None):
        raise UsageError("--at and --next foresee the plan of one engine: name one, or leave them out")
    run = getattr(options, "run", None)
    if getattr(options, "interactive", False) or getattr(run, "interactive", False):
        raise UsageError("--interactive reviews the plan of one engine: name one")
    if getattr(options, "confirm_engine", None) or getattr(run, "confirm_engine", None):
        raise UsageError("--confirm-engine is about one engine: name one, or leave it out")

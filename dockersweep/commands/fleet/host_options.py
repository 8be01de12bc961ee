"""The options of a verb for one of several hosts: its engine and its policy, and JSON into a file of its own."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec.structs import replace

from dockersweep.commands.options import (
    ApplyOptions,
    EngineOptions,
    ExplainOptions,
    OutputOptions,
    PlanOptions,
    PolicyOptions,
    ReportOptions,
    RunOptions,
    ScanOptions,
    SweepOptions,
)
from dockersweep.fleet.hosts import Host

if TYPE_CHECKING:
    from dockersweep.engine.api.client import Client

HostVerbOptions = ScanOptions | PlanOptions | SweepOptions | ApplyOptions | ReportOptions | ExplainOptions
CONNECT_SECONDS = 10.0


def options_for(
    host: Host,
    options: HostVerbOptions,
    path: str,
    on_answer: "Callable[[Client], None] | None",
    connect_seconds: float | None,
    on_untold: "Callable[[str], None] | None" = None,
) -> HostVerbOptions:
    """Return the options of a verb for a host, whose document goes to `path`.

    `on_answer` is called when its engine has answered, within `connect_seconds` (None for the usual limit);
    `on_untold` is as in RunOptions.
    """

    def engine(of: EngineOptions) -> EngineOptions:
        return replace(
            of,
            host=host.host,
            context=host.context,
            tls=host.tls,
            host_name=host.name if host.has_own_name else None,
            shows_progress=False,
            connect_timeout_seconds=connect_seconds or CONNECT_SECONDS,
            on_answer=on_answer,
        )

    def output(of: OutputOptions) -> OutputOptions:
        return replace(of, format="json", path=path)

    def policy(of: PolicyOptions) -> PolicyOptions:
        return replace(of, path=policy_path(host, of))

    def run(of: RunOptions) -> RunOptions:
        read = engine(of.engine), output(of.output)
        return replace(of, engine=read[0], output=read[1], quiet=False, only_problems=False, on_untold=on_untold)

    def plan(of: PlanOptions) -> PlanOptions:
        read = engine(of.engine), policy(of.policy), output(of.output)
        return replace(of, engine=read[0], policy=read[1], output=read[2], quiet=False, only_problems=False)

    if isinstance(options, SweepOptions):
        return replace(options, run=run(options.run), policy=policy(options.policy), plan=plan(options.plan))
    if isinstance(options, ApplyOptions):
        return replace(options, run=run(options.run), policy=policy(options.policy))
    if isinstance(options, PlanOptions):
        return plan(options)
    if isinstance(options, ScanOptions):
        return replace(options, engine=engine(options.engine), output=output(options.output))
    if isinstance(options, ReportOptions):
        return replace(
            options,
            engine=engine(options.engine),
            policy=policy(options.policy),
            output=output(options.output),
            quiet=False,
            only_problems=False,
        )
    return replace(options, engine=engine(options.engine), policy=policy(options.policy), output=output(options.output))


def policy_path(host: Host, options: PolicyOptions) -> str | None:
    """Return the policy file of a host: --policy, else that of the fleet file; None to look for one."""
    return host.policy if options.path is None else options.path

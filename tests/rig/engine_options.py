"""Options of an engine for what is called without a command line."""

from __future__ import annotations

from dockersweep.commands.options import EngineOptions


def engine_options(url: str | None = None) -> EngineOptions:
    """Name an engine; without sizes, and with a ledger."""
    return EngineOptions(
        host=url,
        context=None,
        tls=None,
        inventory=None,
        reads_sizes=False,
        size_timeout_seconds=10,
        engine_timeout_seconds=10,
        uses_ledger=True,
        shows_progress=False,
    )

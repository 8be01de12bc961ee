"""The parser of `watch`."""

import argparse
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from dockersweep.parser.argument_parser import VerbParser
from dockersweep.parser.shared_flags import add_carrying_out, add_policy, add_reading
from dockersweep.parser.values import interval

if TYPE_CHECKING:
    Verbs = argparse._SubParsersAction[VerbParser]
    AddVerb = Callable[["Verbs", str, str, Sequence[str]], argparse.ArgumentParser]

FORMATS = ("table", "json", "csv", "markdown")
DESCRIPTION = "Keep watching, and sweep when space gets short and when it is time."


def add_watch(verbs: "Verbs", add_verb: "AddVerb") -> None:
    """Add the verb; `add_verb` adds one with the flags of every verb."""
    parser = add_verb(verbs, "watch", DESCRIPTION, FORMATS)
    group = parser.add_argument_group("watching")
    group.add_argument(
        "--interval", metavar="AGE", type=interval, default="5s", help="how often to look how full the disks are (5s)"
    )
    group.add_argument(
        "--listen", metavar="ADDRESS",
        help="serve /metrics and /healthz there: 127.0.0.1:PORT, [::1]:PORT or unix:/PATH",
    )  # fmt: skip
    group.add_argument("--listen-any", action="store_true", help="let --listen be an address that others can reach")
    group.add_argument(
        "--metrics", dest="metrics_file", metavar="FILE", help="write metrics to FILE, for node_exporter's textfiles"
    )
    add_policy(parser)
    add_reading(parser, from_file=False)
    add_carrying_out(parser)
    parser.set_defaults(yes=True, interactive=False, detail="grouped")

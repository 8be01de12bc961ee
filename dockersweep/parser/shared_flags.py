"""Groups of flags that several verbs share."""

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dockersweep.parser.values import (
    age,
    archive_folder,
    count,
    count_from_one,
    count_or_percent,
    percent,
    size,
    timeout,
    wait,
)

if TYPE_CHECKING:
    Group = argparse._ArgumentGroup

KINDS = ("container", "image", "volume", "network", "build-cache")
LOG_FORMATS = ("text", "json", "journal")
ONLY_PROBLEMS = "print what needs a person, and nothing else"


def add_common(parser: argparse.ArgumentParser, default: object, formats: Sequence[str]) -> None:
    """Add the flags of every verb. They are accepted before and after the verb; only the former sets a default."""
    group = parser.add_argument_group("engine and output")
    group.add_argument(
        "-H", "--host", metavar="URL", default=default, help="the engine: unix:///PATH, tcp://HOST:PORT or ssh://HOST"
    )
    group.add_argument(
        "-c", "--context", metavar="CONTEXT", default=default, help="the engine of a docker context, in place of -H"
    )
    group.add_argument(
        "--tlsverify", action="store_const", const=True, default=default, help="speak TLS, and check the certificate"
    )
    for flag, file, what in (
        ("--tlscacert", "ca.pem", "trust only this authority"),
        ("--tlscert", "cert.pem", "client certificate"),
        ("--tlskey", "key.pem", "its key"),
    ):
        group.add_argument(flag, metavar="FILE", default=default, help=f"{what} ({file} in DOCKER_CERT_PATH)")
    group.add_argument(
        "--policy",
        metavar="FILE",
        default=default,
        help="the policy file; - is standard input, the word `default` the default policy, whatever files there are",
    )
    _add_fleet(group, default)
    group.add_argument("--format", metavar="FORMAT", choices=formats, default=default, help=f"{' or '.join(formats)}")
    group.add_argument("-o", "--output", metavar="FILE", default=default, help="write to FILE, replaced in one step")


def _add_fleet(group: "Group", default: object) -> None:
    group.add_argument(
        "--all-contexts", action="store_true", default=default, help="the engines of all docker contexts"
    )
    group.add_argument(
        "--fleet", metavar="FILE", default=default, help="the hosts of a fleet file, dockersweep-fleet.toml(5)"
    )
    for flag, dest, metavar, words in (
        ("--group", "group", "GROUP", "of them only those in this group, repeatable"),
        ("--only", "only", "GLOB", "only those so named, repeatable"),
        ("--not", "but", "GLOB", "not those so named, repeatable"),
    ):
        group.add_argument(flag, dest=dest, metavar=metavar, default=default, help=words)


def add_reading(parser: argparse.ArgumentParser, from_file: bool) -> None:
    group = parser.add_argument_group("reading the engine")
    if from_file:
        group.add_argument("--inventory", metavar="FILE", help="read a saved `scan --format json` instead of an engine")
    else:
        parser.set_defaults(inventory=None)
    group.add_argument(
        "--no-sizes", dest="sizes", action="store_false",
        help="do not measure disk usage; sizes of containers and volumes are unknown",
    )  # fmt: skip
    group.add_argument(
        "--size-timeout", metavar="AGE", type=timeout, default="15m", help="how long each of the two may take (15m)"
    )
    group.add_argument(
        "--engine-timeout", metavar="AGE", type=timeout, default="1m",
        help="how long any other answer may take, and how long a sweep waits for an engine that went away (1m)",
    )  # fmt: skip
    group.add_argument(
        "--no-ledger", dest="ledger", action="store_false",
        help="do not use the ledger of first sights, last uses, earlier runs and sizes of layers",
    )  # fmt: skip


def add_policy(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("policy")
    _add_choice(group)
    add_protections(group)
    add_archive(parser)


def add_archive(parser: argparse.ArgumentParser) -> None:
    """Add the flags of what is archived before it is removed, and of what could not be taken back."""
    group = parser.add_argument_group("archive")
    either = group.add_mutually_exclusive_group()
    either.add_argument(
        "--archive", metavar="FOLDER", nargs="?", const=True, type=archive_folder,
        help="archive what cannot be made again before it is removed, in FOLDER or that of the policy",
    )  # fmt: skip
    either.add_argument(
        "--no-archive", dest="archive", action="store_const", const=False, help="no archive, even if the policy has one"
    )
    group.add_argument("--only-recoverable", action="store_true", help="keep what could not be taken back")
    group.add_argument(
        "--max-unrecoverable", metavar="N", type=count,
        help="remove nothing if more objects would go that cannot be recovered",
    )  # fmt: skip


def add_several(parser: argparse.ArgumentParser, asks: bool = True, removes: bool = False) -> None:
    """Add the flags of a verb that takes several hosts; `asks` adds how they are reached, `removes` how it goes from
    host to host."""
    parser.set_defaults(takes_several=True)
    if not asks:
        return
    group = parser.add_argument_group("several hosts")
    group.add_argument(
        "--parallel", metavar="N", type=count_from_one, help="how many are at work at the same time (16)"
    )
    group.add_argument(
        "--connect-timeout", metavar="AGE", type=timeout, help="how long an engine may take to answer first (10s)"
    )
    group.add_argument(
        "--allow-unreached", metavar="N", type=count, default=0, help="succeed if at most N cannot be reached"
    )
    if removes:
        group.add_argument("--canary", metavar="N", type=count, help="N hosts first, which all must end well")
        group.add_argument(
            "--max-failures", metavar="N", type=count_or_percent,
            help="begin no further host after more failures; a number, or a share of the hosts like 10%%",
        )  # fmt: skip
        group.add_argument(
            "--splay", metavar="AGE", type=wait, help="wait a random time before each host where nobody watches"
        )


def add_kinds(group: "Group") -> None:
    group.add_argument(
        "--kind", action="append", choices=KINDS, metavar="KIND", default=[],
        help=f"only this kind, repeatable: {', '.join(KINDS)}",
    )  # fmt: skip
    group.add_argument(
        "--not-kind", action="append", choices=KINDS, metavar="KIND", default=[], help="all but this kind, repeatable"
    )


def _add_choice(group: "Group") -> None:
    group.add_argument("--older-than", metavar="AGE", type=age, help="in place of each rule's own age; 0s means now")
    add_kinds(group)
    group.add_argument(
        "--free", dest="free_bytes", metavar="SIZE", type=size,
        help="free so much in all: what the rules remove, then build cache and images, least recently used first; "
        "images that cannot be pulled again go only by a rule (--all-images)",
    )  # fmt: skip
    group.add_argument(
        "--only-target", action="store_true", help="rules keep what they keep, but only the space target removes"
    )
    group.add_argument("--all-images", action="store_true", help="unused images with tags too")
    group.add_argument("--spare-local", action="store_true", help="with --all-images: not those that exist only here")
    group.add_argument("--named-volumes", action="store_true", help="unused volumes with names too")


def add_protections(group: "Group") -> None:
    for what, metavar in (("label", "KEY[=VALUE]"), ("name", "GLOB"), ("image", "GLOB")):
        group.add_argument(
            f"--keep-{what}", metavar=metavar, action="append", default=[], help=f"never remove by {what}, repeatable"
        )
    group.add_argument(
        "--retry-refused", action="store_true", help="also what the engine refused in three runs within the last week"
    )
    group.add_argument("--max-objects", metavar="N", type=count, help="remove nothing if more objects would go")
    group.add_argument("--max-bytes", metavar="SIZE", type=size, help="remove nothing if more would be freed")
    group.add_argument(
        "--max-share", metavar="PERCENT", type=percent, help="remove nothing if a larger share of a kind would go"
    )


def add_detail(parser: argparse.ArgumentParser, of_all: str, of_totals: str) -> None:
    parser.set_defaults(detail="grouped")
    group = parser.add_mutually_exclusive_group()
    for flags, detail, words in (
        (("-v", "--verbose"), "all", of_all),
        (("--summary",), "totals", of_totals),
    ):
        group.add_argument(
            *flags, dest="detail", action="store_const", const=detail, default=argparse.SUPPRESS, help=words
        )


def add_interactive(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-i", "--interactive", action="store_true", help="review the plan on a screen first, and untick what stays"
    )


def add_quiet_run(parser: argparse.ArgumentParser) -> None:
    add_quiet(
        parser, "for cron, which mails it: print what was removed, and what went wrong; else nothing",
        "for cron, too: print what needs a person, and not what was removed",
    )  # fmt: skip


def add_quiet(parser: argparse.ArgumentParser, words: str, only_problems: str = ONLY_PROBLEMS) -> None:
    group = parser.add_mutually_exclusive_group()
    group.add_argument("-q", "--quiet", action="store_true", help=words)
    add_only_problems(group, only_problems)


def add_only_problems(
    parser: "argparse.ArgumentParser | argparse._MutuallyExclusiveGroup", words: str = ONLY_PROBLEMS
) -> None:
    parser.add_argument("--only-problems", action="store_true", help=words)


def add_confirming(group: "Group") -> None:
    """Add the flags of what changes an engine."""
    group.add_argument("--confirm-engine", metavar="NAME", help="refuse where the engine has another name or id")
    group.add_argument(
        "--lock-timeout", metavar="AGE", type=wait, default="0s",
        help="how long to wait for another run on the same engine (0s: refuse at once)",
    )  # fmt: skip


def add_carrying_out(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("carrying out")
    add_confirming(group)
    group.add_argument(
        "--yes-first-time", action="store_true",
        help="let it remove more than half of a kind unattended where nobody has looked at the engine yet",
    )  # fmt: skip
    group.add_argument("--removal-timeout", metavar="AGE", type=timeout, default="15m", help="for one removal (15m)")
    group.add_argument(
        "--audit-log", metavar="FILE", help="append a JSON line for each removal; journal is the systemd journal"
    )
    group.add_argument(
        "--log-format", metavar="LOG", choices=LOG_FORMATS, default="text",
        help="a line on standard error for each event: json, or journal, with priorities for systemd (text: none)",
    )  # fmt: skip
    group.add_argument(
        "--require-ledger", action="store_true", help="remove nothing that cannot be written to the ledger"
    )
    group.add_argument(
        "--keep-history", metavar="AGE", type=age, default="400d", help="forget older runs in the ledger (400d)"
    )
    group.add_argument(
        "--no-notify", dest="notifies", action="store_false", help="tell nobody how it ended, even if the policy does"
    )

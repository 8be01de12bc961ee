"""Writes what became of a verb on several hosts: the document, or its table and those of the hosts."""

import contextlib
from collections.abc import Iterator

import msgspec
from msgspec.structs import replace

from dockersweep.commands.fleet.host_process import LARGEST_BYTES, document_path
from dockersweep.commands.fleet.verb_parts import VerbParts
from dockersweep.commands.write import Destination, is_written, terminal_width, write_problems
from dockersweep.files import read_named
from dockersweep.model.documents import read_explanation
from dockersweep.model.fleet import Fleet, FleetHost
from dockersweep.report.fleet.layout import STATUS_WORDS, fleet_layout, problem_lines
from dockersweep.report.layout import Layout, Section

METRICS_MODE = 0o644
_NO_DOCUMENT = b'"document":null}'
_NO_HOSTS = b'"hosts":[]}'


class WrittenFleet:
    """What became of a verb on several hosts, and the folder with the documents of these."""

    def __init__(self, fleet: Fleet, folder: str) -> None:
        self.fleet = fleet
        self._folder = folder

    def document_of(self, number: int) -> bytes | None:
        """Return the document of a host, by its place; None for none."""
        path = document_path(self._folder, number)
        with contextlib.suppress(FileNotFoundError):
            return read_named(path, LARGEST_BYTES)
        return None

    def as_json(self) -> Iterator[str]:
        """Yield the document, host by host: of a thousand it would not fit into memory."""
        head = msgspec.json.encode(replace(self.fleet, hosts=()))
        yield head.removesuffix(_NO_HOSTS).decode() + '"hosts":['
        for number, host in enumerate(self.fleet.hosts):
            text = msgspec.json.encode(host).removesuffix(_NO_DOCUMENT)
            document = self.document_of(number) or b"null"
            yield ("," if number else "") + "\n" + (text + b'"document":' + document.strip() + b"}").decode()
        yield "\n]}\n"


def write_fleet(written: WrittenFleet, parts: VerbParts) -> None:
    """Write the result, and what needs a person to standard error."""
    fleet, output = written.fleet, parts.output
    problems = [host for host in fleet.hosts if host.status != "done"]
    has_news = not parts.quiet or bool(problems) or any(host.sums.freed for host in fleet.hosts)
    has_result = is_written(output, has_news=has_news, only_problems=parts.only_problems)
    if has_result:
        # Another user collects metrics, and they name no objects.
        mode = METRICS_MODE if output.format == "prometheus" else None
        Destination(output.path).write(written.as_json() if output.format == "json" else _text(written, parts), mode)
    lines = [f"dockersweep: {_problem(host)}" for host in problems]
    lines += problem_lines(fleet)
    write_problems(lines, output, is_in_result=has_result)


def _text(written: WrittenFleet, parts: VerbParts) -> Iterator[str]:
    from dockersweep.report.formats import formatted

    fleet, width, form = written.fleet, terminal_width(parts.output.path), parts.output.format
    if fleet.verb == "report" and form != "csv":
        from dockersweep.commands.fleet.run_report import NEED_DUCKDB, has_duckdb, run_report

        if form in NEED_DUCKDB or has_duckdb():
            yield run_report(written, parts.output)
            return
    if parts.detail == "all" and form != "csv":
        yield from _host_tables(written, form, width)
    if fleet.verb == "explain":
        from dockersweep.report.fleet.explanations import explanations_layout

        documents = [written.document_of(number) for number in range(len(fleet.hosts))]
        explained = [None if data is None else read_explanation(data, "an explanation") for data in documents]
        yield formatted(explanations_layout(fleet, explained), form, width)
        return
    yield formatted(fleet_layout(fleet), form, width)


def _host_tables(written: WrittenFleet, form: str, width: int | None) -> Iterator[str]:
    from dockersweep.commands.fleet.host_tables import host_layout
    from dockersweep.report.formats import formatted

    for number, host in enumerate(written.fleet.hosts):
        document = written.document_of(number)
        if document is not None:
            for layout in (Layout(None, (Section(host.name),)), host_layout(host.name, document, width)):
                yield formatted(layout, form, width) + "\n"


def _problem(host: FleetHost) -> str:
    return f"{host.name}: {STATUS_WORDS[host.status]}" + (f": {host.message}" if host.message else "")

"""What it costs a run to read what compose files declare, in processor time: anew, and unchanged from what was kept."""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from dockersweep.declared.reader import DeclaredReader, Kept, Reading
from tests.bench.table import Row, write_table

COUNTS = (200,)
ROUNDS = 11
MOST_SECONDS_OF_200 = 0.3
COMPOSE = """\
x-common: &common
  restart: unless-stopped
  logging: {driver: json-file, options: {max-size: 10m}}
services:
  web:
    <<: *common
    image: "registry.example.com/team/web:${TAG:-1.4}"
    depends_on: [db, cache]
    environment: {DB: "postgres://db/${DB:-app}", CACHE: cache}
    ports: ["8080:80"]
    volumes: ["static:/srv/static", "./conf:/etc/web:ro"]
    networks: [front, back]
  worker:
    <<: *common
    build: {context: ., args: {BASE: "python:3.12"}}
    command: ["work", "--queue", "$${QUEUE}"]
    networks: [back]
  db:
    <<: *common
    image: postgres:16
    environment: [POSTGRES_PASSWORD=secret, "POSTGRES_DB=${DB:-app}"]
    volumes: ["data:/var/lib/postgresql/data"]
    healthcheck: {test: [CMD, pg_isready], interval: 10s}
    networks: [back]
  cache: {image: "redis:7", networks: [back]}
  backup:
    image: backup:2
    profiles: [jobs]
    volumes: ["data:/data:ro", "backups:/backups"]
volumes:
  data:
  static:
  backups: {external: true, name: "backups-of-${STAGE:-production}"}
networks:
  front: {external: true}
  back: {internal: true}
"""


def measure(folder: Path, count: int) -> list[Row]:
    """The medians for so many projects, each with its .env and its Dockerfile."""
    for number in range(count):
        own = folder / f"project-{number}"
        own.mkdir()
        (own / "compose.yaml").write_text(COMPOSE)
        (own / ".env").write_text(f"TAG=1.{number}\nDB=app\n")
        (own / "Dockerfile").write_text("ARG BASE=python:3.11\nFROM ${BASE} AS build\nRUN true\nFROM build\n")
    anew, unchanged = [], []
    for _ in range(ROUNDS):
        seconds, new = _seconds(folder, {}, count)
        anew.append(seconds)
        told = {key: msgspec.json.encode(reading) for key, reading in new.items()}
        seconds, new = _seconds(folder, told, count)
        unchanged.append(seconds)
        assert not new
    aim = MOST_SECONDS_OF_200 * count / 200
    return [
        Row(f"{count} compose files, read anew", statistics.median(anew), aim=aim),
        Row(f"{count} compose files, unchanged", statistics.median(unchanged), aim=aim),
    ]


def _seconds(folder: Path, told: dict[str, bytes], count: int) -> tuple[float, dict[str, Reading]]:
    begun = time.process_time()
    kept = Kept({key: msgspec.json.decode(one, type=Reading) for key, one in told.items()}, {})
    declared = DeclaredReader({}, None, kept).compose([f"{folder}/*/compose.yaml"], lambda done, of: None)
    taken = time.process_time() - begun
    assert len(declared.projects) == count
    assert {"python:3.12", "backup:2"} <= {one.name for one in declared.objects}
    return taken, kept.new


def main(arguments: Sequence[str]) -> int:
    """Print the table; return 1 where an aim is missed."""
    rows: list[Row] = []
    for count in _parser().parse_args(arguments).counts or COUNTS:
        with tempfile.TemporaryDirectory() as folder:
            rows += measure(Path(folder), count)
    return write_table(rows)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tests/bench/declared_files",
        description="Read so many compose files, anew and as they were kept. Prints a Markdown table, and fails where "
        "an aim is missed. Needs no engine.",
    )
    parser.add_argument("counts", metavar="COUNT", nargs="*", type=int, help=f"default: {' '.join(map(str, COUNTS))}")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""`report` as its users meet it: its formats, its exit status, and what the policy silences."""

import csv
import html
import io
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dockersweep.commands.write import write_result
from dockersweep.model.disk import Disk
from dockersweep.model.document_schemas import json_schema
from dockersweep.model.documents import read_document
from dockersweep.model.engine_folder import EngineFolder, FolderOnDisk, LeakedFolder
from dockersweep.model.inventory import Inventory
from dockersweep.model.report import Report
from dockersweep.model.storage import Part, Storage
from dockersweep.policy.disk_report import Past
from dockersweep.policy.language.default_policy import DEFAULT_POLICY
from dockersweep.report.disk.bars import bar
from dockersweep.report.disk.layout import disk_layout
from dockersweep.report.formats import formatted
from tests.rig.inventories import (
    ENGINE,
    ago,
    container,
    image,
    inventory,
    network,
    record,
    report_of,
    volume,
    write_inventory,
)
from tests.rig.reports import busy_report, finding
from tests.rig.reports import report as made_up
from tests.rig.running import dockersweep

MEGA, GIGA = 1_000_000, 1_000_000_000
FULL: Inventory = msgspec.structs.replace(
    inventory(
        container("web", "running", image="sha256:a", size=200 * MEGA, volumes=["data"]),
        container("=cmd()\n\x1b[31m", size=MEGA, labels={"x": "y"}),
        image("a", "registry.example.com/shop/app:1", size=90 * MEGA),
        image("b", size=40 * MEGA),
        msgspec.structs.replace(volume("data", anonymous=False, size=7 * MEGA), project="shop"),
        volume("old|*pipe*", anonymous=False, created=ago(days=90), size=3 * MEGA),
        network("front"),
        record("r", size=6 * MEGA),
    ),
    disk=Disk(total_bytes=100 * GIGA, free_bytes=9 * GIGA, total_inodes=1000, free_inodes=900),
)


@pytest.fixture
def saved(tmp_path: Path) -> str:
    return write_inventory(tmp_path, FULL)


def report(saved: str, *words: str, status: int = 0, columns: str = "") -> str:
    run = dockersweep("report", "--inventory", saved, *words, COLUMNS=columns)
    assert (run.status, run.stderr) == (status, ""), run.stderr
    return run.stdout


def of_full() -> Report:
    return report_of(FULL, DEFAULT_POLICY, Past(()))


def test_the_table_answers_where_whether_and_what_to_do(saved: str) -> None:
    told = report(saved, columns="80")
    lines = told.splitlines()
    assert max(map(len, lines)) <= 80
    assert "Disk: 91% of 100 GB used, 9.00 GB free; inodes 10% used." in told
    where, worse, do = (told.index(word) for word in ("USAGE BY TYPE", "Trend", "What to do:"))
    assert where < worse < do
    assert told[:do].count("\n") < 24
    assert "  warning DS016: the disk fills up: 91% of its bytes used" in told
    assert "  warning DS002: 1 container has a large writable layer" in told
    assert "      fix: mount a volume where it writes: docker diff web shows where" in told
    assert "Volumes 2 1 1 10.0 MB 0 B 3.00 MB" in [" ".join(line.split()) for line in lines]
    assert not set(told) & set("█▒▓")
    assert "\x1b" not in told


def test_how_what_the_policy_removes_can_be_taken_back_is_told_in_each_form(saved: str) -> None:
    words = "Of what would be removed, 1 can be built again; 1 cannot be recovered: container =cmd()"
    for form in ("table", "markdown", "html"):
        told = html.unescape(report(saved, "--format", form)).replace("\\", "")
        assert words in told, form
    documents = json.loads(report(saved, "--format", "json"))["objects"]
    assert all((one["recovery"] is not None) == one["goes"] for one in documents)
    assert "Of what would be removed" not in report(saved, "--keep-name", "*", "--kind", "container", status=0)


def _on_three_disks() -> Report:
    places = ("/var/lib/docker", "/var/lib/docker/volumes", "/mnt/a-disk-with-a-very-long-name/containerd")
    sizes = ((271, 75, 33), (30, 2, 28), (900, 9, 800))
    disks = [
        Disk(
            total_bytes=total * GIGA, free_bytes=free * GIGA, used_bytes=used * GIGA, total_inodes=1000,
            free_inodes=None if place.endswith("volumes") else 900, mount_point=place, device="/dev/loop1",
            places=(place,),
        )
        for place, (total, free, used) in zip(places, sizes, strict=True)
    ]  # fmt: skip
    parts = (
        Part(id="volume:data", high_bytes=7 * MEGA, low_bytes=7 * MEGA, folder="volumes/data"),
        Part(id="image:sha256:a", high_bytes=90 * MEGA, low_bytes=90 * MEGA, folder="image/a"),
    )
    folders = tuple(
        FolderOnDisk(places=one.places, size_bytes=100 * MEGA, is_whole=number < 2) for number, one in enumerate(disks)
    )
    seen = msgspec.structs.replace(
        inventory(image("a", "app:1"), volume("data", anonymous=False)),
        disk=disks[0],
        other_disks=tuple(disks[1:]),
        storage=Storage(base="disk", parts=parts),
        folder=EngineFolder(size_bytes=300 * MEGA, on_disks=folders),
    )
    return report_of(seen, DEFAULT_POLICY, Past(()))


def test_several_disks_are_a_table_that_fits() -> None:
    told = text_of(_on_three_disks(), 80, with_bars=True)
    assert max(map(len, told.splitlines())) <= 80
    table = [" ".join(line.split()) for line in told[told.index("DISK ") :].splitlines()[:4]]
    assert table == [
        "DISK SIZE USED FREE IN USE INODES",
        "/var/lib/docker 271 GB 33.0 GB 75.0 GB 31% 10%",
        "/var/lib/docker/volumes 30.0 GB 28.0 GB 2.00 GB 94%",
        "/mnt/a-disk-with-a…ng-name/containerd 900 GB 800 GB 9.00 GB 99% 10%",
    ]
    whole = " ".join(told.split())
    assert (
        "/var/lib/docker (/dev/loop1, 163 GB of 271 GB reserved for root or the file "
        "system) holds 100 MB of the engine's: images 90.0 MB and "
        "remainder 10.0 MB. /var/lib/docker/volumes (/dev/loop1) holds 100 MB of the engine's: volumes 7.00 MB and "
        "remainder 93.0 MB."
    ) in whole
    held = "holds at least 100 MB of the engine's: remainder unknown."
    assert f"(/dev/loop1, 91.0 GB of 900 GB reserved for root or the file system) {held}" in whole
    assert "Engine's folder at least 300 MB" in whole
    assert "Disk: " not in told


def test_one_disk_is_one_line() -> None:
    seen = _on_three_disks()
    told = text_of(msgspec.structs.replace(seen, disks=seen.disks[:1]), 80, with_bars=False)
    assert "DISK  " not in told
    assert "/dev/loop1" not in told
    reserved = "163 GB of 271 GB reserved for root or the file system"
    line = f"Disk: 33.0 GB (31%) used, 75.0 GB free, {reserved}; inodes 10% used."
    assert line in " ".join(told.split())


def test_several_disks_are_a_table_in_markdown() -> None:
    told = formatted(disk_layout(_on_three_disks(), None, with_bars=False), "markdown", None)
    assert "| /var/lib/docker/volumes | 30.0 GB | 28.0 GB | 2.00 GB | 94% |  |" in told
    assert (
        "- /var/lib/docker/volumes (/dev/loop1) holds 100 MB of the engine's: volumes 7.00 MB and remainder 93.0 MB."
        in told
    )


def text_of(report: Report, width: int, with_bars: bool) -> str:
    return formatted(disk_layout(report, width, with_bars), "table", width)


def test_on_a_terminal_bars_are_drawn_and_fit() -> None:
    for width in (80, 120, 200):
        told = text_of(of_full(), width, with_bars=True)
        assert max(map(len, told.splitlines())) <= width
        assert "█" in told
        assert "▒" in told
        assert "[" + "▓" * 10 in told
        below_table = told[told.index("Engine's folder" if "Engine's folder" in told else "Build cache") :]
        assert "█ in use, ▒ unused\n" in below_table
    assert "UNUSED  " not in text_of(of_full(), 70, with_bars=True).split("SIZE")[0]
    # Where even so there is no room, nothing is drawn, and no legend stands below it.
    assert "▒ unused" not in text_of(of_full(), 40, with_bars=True)


@pytest.mark.parametrize("with_bars", [True, False])
def test_all_columns_fit_80_where_the_folder_is_known_too(with_bars: bool) -> None:
    small = made_up(objects=busy_report().objects[40:60], trend=busy_report().trend)
    told = text_of(small, 80, with_bars)
    assert max(map(len, told.splitlines())) <= 80
    assert "  UNUSED  " in told.split("SIZE")[0]


def test_in_a_narrow_terminal_nothing_is_wider_than_it() -> None:
    told = text_of(of_full(), 60, with_bars=False)
    assert max(map(len, told.splitlines())) <= 66


def test_what_a_fix_names_is_whole_however_narrow_the_terminal() -> None:
    path = f"/var/lib/docker/overlay2/{'ab' * 32}"
    leak = LeakedFolder(kind="layer", path=path, size_bytes=9 * MEGA, changed_at=ago(days=2), why="unnamed")
    folder = EngineFolder(size_bytes=GIGA, leaks=(leak,))
    seen = msgspec.structs.replace(inventory(image("a", "app:1")), folder=folder)
    told = text_of(report_of(seen, DEFAULT_POLICY, Past(())), 80, with_bars=False)
    assert f"      {path}:\n" in told
    assert f"      ({path}\n" in told
    assert [line for line in told.splitlines() if len(line) > 80 and path not in line] == []


@pytest.mark.parametrize(
    ("whole", "used", "unused", "drawn"),
    [
        (100, 50, 50, "█████▒▒▒▒▒"),
        (100, 20, 0, "██"),
        (100, 0, 20, "▒▒"),
        (100_000, 1, 0, "█"),
        (100_000, 0, 1, "▒"),
        (100_000, 1, 1, "█"),
        (100, 0, 0, ""),
        (0, 0, 0, ""),
        (100, 300, 0, "██████████"),
    ],
)
def test_a_bar_shows_what_is_there(whole: int, used: int, unused: int, drawn: str) -> None:
    assert bar(whole, used, unused, 10) == drawn


def test_csv_has_a_row_an_object_and_no_formulas(saved: str) -> None:
    text = dockersweep("report", "--inventory", saved, "--format", "csv").stdout
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == 8
    assert list(rows[0])[:6] == ["kind", "id", "name", "project", "repository", "size_bytes"]
    assert [int(row["size_bytes"]) for row in rows] == sorted([int(row["size_bytes"]) for row in rows], reverse=True)
    assert "'=cmd()\\n\\x1b[31m" in [row["name"] for row in rows]
    data = next(row for row in rows if row["name"] == "data")
    assert (data["project"], data["in_use"], data["goes"]) == ("shop", "true", "false")


def test_markdown_shows_names_as_they_are(saved: str) -> None:
    told = report(saved, "--format", "markdown")
    assert told.startswith("# Disk report of box\n")
    assert "| volume | old\\|\\*pipe\\* | 3.00 MB | 3.00 MB | no | no container mounts it |" in told
    assert "| warning | DS016 | the disk fills up: 91% of its bytes used |" in told
    assert "## Trend" in told


def test_json_is_a_document_with_a_schema(saved: str) -> None:
    import jsonschema

    text = report(saved, "--format", "json")
    assert read_document(text.encode(), Report, "report.json").objects
    jsonschema.validate(json.loads(text), json_schema("report"))
    assert dockersweep("schema", "report").json()["title"] == "dockersweep.report/1"
    told = json.loads(text)
    assert told["trend"] is None
    assert told["shares"][0]["share"] == "image"


def test_a_result_file_tells_its_format(saved: str, tmp_path: Path) -> None:
    report(saved, "-o", str(tmp_path / "out.json"))
    assert json.loads((tmp_path / "out.json").read_text())["schema"] == "dockersweep.report/1"


@pytest.mark.parametrize(("severity", "status"), [("critical", 0), ("warning", 10), ("note", 10)])
def test_fail_on_tells_a_pipeline(saved: str, severity: str, status: int) -> None:
    run = dockersweep("report", "--inventory", saved, "--fail-on", severity, "--format", "csv")
    assert (run.status, bool(run.stderr)) == (status, status != 0)


def test_what_is_silenced_does_not_fail(saved: str, tmp_path: Path) -> None:
    policy = tmp_path / "p.toml"
    policy.write_text('version = 1\nremoves_nothing = true\n[report]\nsilence = ["DS002", "DS016", "DS008"]\n')
    told: Any = json.loads(report(saved, "--format", "json", "--fail-on", "warning", "--policy", str(policy)))
    assert told["silenced"] == ["DS002", "DS016"]
    assert [one["id"] for one in told["findings"]] == ["DS003"]
    assert "Silenced by the policy: DS002, DS016." in report(saved, "--policy", str(policy))
    shown = dockersweep("policy", "show", "--policy", str(policy)).stdout
    assert "Reports leave out the findings DS002, DS016 and DS008." in shown
    assert dockersweep("policy", "check", "--policy", str(policy)).status == 0


@pytest.mark.parametrize(
    ("written", "message"), [('["DS099"]', 'not the text "DS099"'), ("3", "must be"), ("[]", "empty")]
)
def test_an_id_that_there_is_not_is_complained_of(tmp_path: Path, written: str, message: str) -> None:
    policy = tmp_path / "p.toml"
    policy.write_text(f"version = 1\nremoves_nothing = true\n[report]\nsilence = {written}\n")
    run = dockersweep("policy", "check", "--policy", str(policy))
    assert run.status == 2
    assert ":4:1" in run.stdout
    assert "report.silence" in run.stdout
    assert message in run.stdout


def test_many_findings_are_cut_on_a_terminal_and_told_to_be() -> None:
    many = tuple(
        finding(f"DS{number:03}", title=f"t{number}", evidence=("e",) * 5, objects=9) for number in range(1, 10)
    )
    told = text_of(made_up(findings=many), 100, with_bars=False)
    assert "details: e; e; e; and 6 more" in told
    assert "and DS007 t7, DS008 t8, DS009 t9; --format json has all of them" in told


def test_without_a_ledger_it_says_so(saved: str) -> None:
    assert "Trend: no earlier scans recorded." in report(saved)


def test_growth_is_told_by_the_day_and_the_week() -> None:
    told = text_of(busy_report(), 100, with_bars=False)
    growing = [line.split("  ")[0] for line in told[told.index("WHAT GROWS") :].split("\n\n")[0].splitlines()]
    assert growing == ["WHAT GROWS", "Volumes", "Images", "Container logs", "Build cache", "The disk, in use",
                       "All of these"]  # fmt: skip
    assert "+310 MB" in told
    assert "+2.17 GB" in told


def test_a_report_of_nothing_is_a_report(tmp_path: Path) -> None:
    file = write_inventory(tmp_path, inventory(engine=ENGINE))
    for words in ("table", "csv", "markdown", "json"):
        assert report(file, "--format", words)
    assert "What to do: nothing." in report(file)


@pytest.mark.parametrize(
    ("source", "context", "flag"),
    [
        ("--host", None, "-H unix:///run/test.sock"),
        ("context far away (--context)", "far away", "--context 'far away'"),
        ("context far (DOCKER_CONTEXT)", None, None),
        ("DOCKER_HOST", None, None),
        ("the default socket", None, None),
    ],
)
@pytest.mark.parametrize("words", ["table", "markdown", "html"])
def test_commands_are_told_with_the_flag_that_named_the_engine(
    tmp_path: Path, source: str, context: str | None, flag: str | None, words: str
) -> None:
    engine = msgspec.structs.replace(ENGINE, endpoint_source=source, context_flag=context)
    file = write_inventory(tmp_path, msgspec.structs.replace(FULL, engine=engine))
    told = html.unescape(report(file, "--format", words)).replace("\\", "")
    assert (f"Every command here needs the flags that reach this engine: {flag}." in told) == (flag is not None)
    assert ("Every command here" in told) == (flag is not None)


@pytest.mark.parametrize(
    ("source", "flags"),
    [
        ("--host", "-H unix:///run/test.sock --tlsverify --tlscacert 'my ca.pem'"),
        ("DOCKER_HOST", "--tlsverify --tlscacert 'my ca.pem'"),
    ],
)
def test_commands_are_told_with_the_flags_that_encrypted(tmp_path: Path, source: str, flags: str) -> None:
    tls = ("--tlsverify", "--tlscacert", "my ca.pem")
    engine = msgspec.structs.replace(ENGINE, endpoint_source=source, tls_flags=tls)
    file = write_inventory(tmp_path, msgspec.structs.replace(FULL, engine=engine))
    assert f"Every command here needs the flags that reach this engine: {flags}." in report(file)


@pytest.mark.parametrize("verb", ["scan", "plan", "report"])
@pytest.mark.parametrize("form", ["json", "csv"])
def test_a_document_is_in_utf_8_whatever_the_terminal_has(tmp_path: Path, verb: str, form: str) -> None:
    file = write_inventory(tmp_path, inventory(container("w\u00e9b")))
    arguments = [sys.executable, "-m", "dockersweep", verb, "--inventory", file, "--format", form]
    done = subprocess.run(arguments, env={**os.environ, "PYTHONIOENCODING": "ascii"}, capture_output=True, check=True)
    assert "w\u00e9b" in done.stdout.decode()


def test_a_link_in_the_place_of_the_new_file_gives_no_other_file_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    victim = tmp_path / "victim"
    victim.touch(0o600)
    file = tmp_path / "report.txt"
    file.touch()
    file.chmod(0o666)
    made = tempfile.mkstemp

    def made_and_replaced(**arguments: Any) -> tuple[int, str]:
        descriptor, name = made(**arguments)
        os.unlink(name)
        os.symlink(victim, name)
        return descriptor, name

    monkeypatch.setattr(tempfile, "mkstemp", made_and_replaced)
    write_result("told", str(file))
    assert victim.stat().st_mode & 0o777 == 0o600


@pytest.mark.linux
@pytest.mark.parametrize("path", ["/dev/stdout", "/dev/fd/1"])
def test_what_others_wrote_to_standard_output_stays(saved: str, tmp_path: Path, path: str) -> None:
    log = tmp_path / "log"
    log.write_text("before\n")
    with log.open("a") as file:
        arguments = [sys.executable, "-m", "dockersweep", "report", "--inventory", saved, "-o", path]
        subprocess.run(arguments, stdout=file, check=True)
        file.write("after\n")
    assert log.read_text().startswith("before\nDocker ")
    assert log.read_text().endswith("\nafter\n")


def test_a_file_that_is_replaced_keeps_its_owner_and_its_mode(saved: str, tmp_path: Path) -> None:
    file = tmp_path / ("x" * 250)
    file.touch(0o640)
    owner = (65534, 65534) if os.geteuid() == 0 else (os.geteuid(), os.getegid())
    os.chown(file, *owner)
    file.chmod(0o640)
    report(saved, "-o", str(file))
    told = file.stat()
    assert (told.st_uid, told.st_gid, told.st_mode & 0o777) == (*owner, 0o640)
    assert told.st_size > 0


def test_a_slash_at_the_end_means_a_folder(saved: str, tmp_path: Path) -> None:
    run = dockersweep("report", "--inventory", saved, "-o", f"{tmp_path}/missing/")
    assert (run.status, run.stderr) == (2, f"dockersweep: {tmp_path}/missing/ cannot be written: Is a directory\n")
    assert list(tmp_path.glob("missing*")) == []


def test_a_quiet_report_prints_nothing_unless_something_is_found(saved: str, tmp_path: Path) -> None:
    found = dockersweep("report", "--inventory", saved, "-q", "--fail-on", "note")
    loud = dockersweep("report", "--inventory", saved, "--fail-on", "note")
    assert (found.status, found.stdout) == (loud.status, loud.stdout)
    assert found.status == 10
    silent = dockersweep("report", "--inventory", write_inventory(tmp_path, inventory()), "-q", "--fail-on", "note")
    assert (silent.status, silent.stdout, silent.stderr) == (0, "", "")
    written = tmp_path / "report.txt"
    flags = ["-q", "--fail-on", "note", "-o", str(written)]
    assert dockersweep("report", "--inventory", write_inventory(tmp_path, inventory()), *flags).status == 0
    assert "USAGE BY TYPE" in written.read_text()
    alone = dockersweep("report", "--inventory", saved, "-q")
    assert (alone.status, alone.stdout) == (2, "")
    assert "give that as well" in alone.stderr


def test_what_the_policy_frees_is_the_first_to_do(tmp_path: Path) -> None:
    file = write_inventory(tmp_path, inventory(container("job", size=2 * MEGA), volume("data", size=0)))
    begins = "What to do:\n  free at least 2.00 MB: `dockersweep sweep`"
    assert f"{begins} shows the plan and asks\n" in report(file)
    assert f"{begins} with the same policy flags shows the plan and asks\n" in report(file, "--older-than", "0s")
    markdown = report(file, "--format", "markdown")
    assert "\nFree at least 2.00 MB: \\`dockersweep sweep\\` shows the plan and asks.\n" in markdown
    assert "What to do: nothing.\n" in report(file, "--not-kind", "container", "--not-kind", "volume")


@pytest.mark.parametrize("verb", ["report", "scan"])
def test_what_counts_as_unused_is_said_once(verb: str, tmp_path: Path) -> None:
    counts = "Unused is what no container holds, running or stopped."
    stopped = "Once the stopped containers are gone, more may be freed."
    for made, more in ((container("job"), True), (container("web", "running"), False)):
        run = dockersweep(verb, "--inventory", write_inventory(tmp_path, inventory(made, volume("data"))))
        assert (run.stdout.count(counts), stopped in run.stdout) == (1, more)
    assert (
        counts not in dockersweep("scan", "--kind", "container", "--inventory", str(tmp_path / "inventory.json")).stdout
    )

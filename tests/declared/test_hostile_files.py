"""Files that are made to hurt: an error names file and line, in bounded time and memory."""

import os
import resource
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from dockersweep.declared.followed import LARGEST_FILE_BYTES, Followed
from dockersweep.declared.quadlets.reading import read_quadlets
from dockersweep.declared.reader import DeclaredReader, Kept
from dockersweep.errors import DeclaredFileError
from dockersweep.model.declared import Declarations
from tests.rig.privileges import permissions_that_count

MOST_SECONDS = 20.0
"""For what takes under two on an idle machine."""
MOST_MEGABYTES = 400


def compose(*paths: Path | str) -> Declarations:
    """What files declare, read without the plugin."""
    return DeclaredReader({}, None, Kept({}, {})).compose(list(map(str, paths)), lambda done, of: None)


def _bomb() -> str:
    lines = ["x0: &x0 [a, b, c, d, e, f, g, h, i]"]
    lines += [f"x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 9)}]" for n in range(1, 40)]
    return "\n".join([*lines, "services: {a: {image: 'a:1', labels: *x39}}"])


def _nested_by_aliases() -> str:
    lines = ["x0: &x0 [a]", *(f"x{n}: &x{n} [*x{n - 1}]" for n in range(1, 3000))]
    return "\n".join([*lines, "services: {a: {image: 'a:1'}}"])


def _many_services() -> str:
    mounts = "\n".join(f"   - v{n}:/v{n}" for n in range(500))
    volumes = "\n".join(f"  v{n}:" for n in range(500))
    services = "\n".join(f"  s{n}: *x" for n in range(500))
    return f"x-s: &x\n  image: a:1\n  volumes:\n{mounts}\nservices:\n{services}\nvolumes:\n{volumes}\n"


TEXTS: dict[str, tuple[str, int | None, str]] = {
    "no YAML": ("services:\n  a: [\n", 3, "not valid YAML"),
    "tabs": ("services:\n\ta: {}\n", 2, "not valid YAML"),
    "no table": ("- services\n", 1, "not a mapping"),
    "a key twice": ("services:\n  a: {image: x}\n  a: {image: y}\n", 3, "the key a appears twice"),
    "an anchor in itself": ("services: &s\n  a: *s\n", 2, "the anchor s contains itself"),
    "an anchor that is not there": ("services:\n  a: *s\n", 2, "the anchor s is not defined"),
    "deep": ("services: " + "[" * 900 + "]" * 900, 1, "nested more than"),
    "deeper": ("services: " + "[" * 100_000, 1, "nested more than|not valid YAML"),
    "deep by aliases": (_nested_by_aliases(), None, "nested more than"),
    "many values": ("x: [" + "1," * 250_000 + "]", 1, "more than 200000 values"),
    "many entries": ("services:\n  a:\n    volumes: [" + "/a," * 2000 + "]", 3, "more than 1000 entries"),
    "a required variable": ("services:\n  a: {image: 'a:${TAG:?say which}'}\n", 2, "TAG has no value: say which"),
    "an open brace": ("services:\n  a: {image: 'a:${TAG'}\n", 2, "without a }"),
    "nested variables": (
        "services:\n  a: {image: '" + "${A:-" * 30 + "}" * 30 + "'}\n",
        2,
        "nested more than 20 levels",
    ),
    "extends itself": ("services:\n  a: {extends: b}\n  b: {extends: a}\n", None, "extends itself"),
    "extends nothing": ("services:\n  a:\n    extends: {service: z}\n", 3, "no service z"),
    "extends no file": ("services:\n  a:\n    extends: {file: z.yaml, service: z}\n", 3, "no file .*z.yaml"),
    "includes itself": ("include: [compose.yaml]\n", 1, "which includes it"),
    "includes nothing": ("services: {}\ninclude:\n  - z.yaml\n", 3, "no file .*z.yaml"),
    "a service that is a text": ("services:\n  a: nginx\n", 2, "services.a must be a mapping"),
    "an image that is a list": ("services:\n  a:\n    image: [a]\n", 3, "image must be a string"),
    "a volume that is not declared": ("services:\n  a: {image: a, volumes: ['vv:/v']}\n", 2, "not declared"),
    "a network that is not declared": ("services:\n  a: {image: a, networks: [n]}\n", 2, "not declared"),
    "no project name": ("services: {}\nname: '!'\n", 2, "leaves nothing for a project name"),
    "a control character": ("services: {\n a: {image: '\x01'}}\n", 2, "not valid YAML: control characters"),
}


@pytest.mark.parametrize(("text", "line", "words"), TEXTS.values(), ids=TEXTS)
def test_an_error_names_file_and_line(tmp_path: Path, text: str, line: int | None, words: str) -> None:
    path = tmp_path / "compose.yaml"
    path.write_text(text)
    began = time.monotonic()
    with pytest.raises(DeclaredFileError, match=words) as raised:
        compose(path)
    assert time.monotonic() - began < MOST_SECONDS
    assert str(raised.value).startswith(f"{path}:" if line is None else f"{path}:{line}: ")


@pytest.mark.parametrize("make", [_bomb, _many_services])
def test_what_aliases_multiply_is_not_multiplied(tmp_path: Path, make: Callable[[], str]) -> None:
    path = tmp_path / "compose.yaml"
    path.write_text(make())
    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    declared = compose(path)
    assert time.monotonic() - began < MOST_SECONDS
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MOST_MEGABYTES * 1000
    assert "a:1" in {one.name for one in declared.objects}


def _long(count: int, line: Callable[[int], str]) -> str:
    return "".join(map(line, range(count)))


MULTIPLIED: dict[str, tuple[dict[str, str], str]] = {
    ".env": ({".env": "A=" + "x" * 90_000 + "\n" + _long(100_000, lambda n: f"B{n}=$A\n")}, "larger than 16 MB"),
    "values": (
        {".env": "A=" + "x" * 90_000, "compose.yaml": "x-a:\n" + "- $A\n" * 100_000},
        r"compose\.yaml:\d+: larger than 16 MB",
    ),
}


@pytest.mark.parametrize(("files", "words"), MULTIPLIED.values(), ids=MULTIPLIED)
def test_what_variables_multiply_has_an_end(tmp_path: Path, files: dict[str, str], words: str) -> None:
    for name, text in ({"compose.yaml": "services: {}\n"} | files).items():
        (tmp_path / name).write_text(text)
    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(DeclaredFileError, match=words):
        compose(tmp_path / "compose.yaml")
    assert time.monotonic() - began < MOST_SECONDS
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MOST_MEGABYTES * 1000


def test_arguments_of_a_dockerfile_that_are_too_long_for_a_name_are_not_kept(tmp_path: Path) -> None:
    arguments = _long(50_000, lambda number: f"ARG B{number}=$A\n")
    (tmp_path / "Dockerfile").write_text("ARG A=" + "x" * 90_000 + "\n" + arguments + "FROM a:$B1\n")
    (tmp_path / "compose.yaml").write_text("services: {a: {build: .}}\n")
    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    declared = compose(tmp_path / "compose.yaml")
    assert time.monotonic() - began < MOST_SECONDS
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MOST_MEGABYTES * 1000
    assert "a:*" in {one.name for one in declared.objects}


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        (".env", b"A=x\nB='open\n", r"\.env:2: a quote is not closed"),
        (".env", b"what is this\n", r"\.env:1: expected KEY=VALUE$"),
        (".env", b"A=\xff\n", r"\.env: not UTF-8"),
        (".env", b"A=" + b"x" * 60_000 + b"\nB=$A$A\n", r"\.env:2: .*longer than"),
        (".env", b"x" * (LARGEST_FILE_BYTES + 1), r"\.env: cannot be read: is larger than 2 MB"),
        ("compose.override.yaml", b"services: [\n", r"compose\.override\.yaml:2: not valid YAML"),
        ("compose.override.yaml", b"\xff\xfe\xfd", r"compose\.override\.yaml:1: not valid YAML"),
        ("compose.override.yaml", b"a: 1\nb: caf\xe9 \n", r"compose\.override\.yaml:2: not valid YAML: .*UTF-8"),
        (".env", b"COMPOSE_FILE=:\n", r'\.env: COMPOSE_FILE is ":", which names no file'),
    ],
)
def test_what_belongs_to_a_file_is_named_as_well(tmp_path: Path, name: str, data: bytes, words: str) -> None:
    (tmp_path / "compose.yaml").write_text("services: {a: {image: 'a:1'}}\n")
    (tmp_path / name).write_bytes(data)
    with pytest.raises(DeclaredFileError, match=words):
        compose(tmp_path / "compose.yaml")


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: os.symlink("/dev/zero", path)])
def test_what_is_no_plain_file_is_refused(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "compose.yaml")
    with pytest.raises(DeclaredFileError, match=r"compose\.yaml: cannot be read: is a (pipe|directory|device)"):
        compose(tmp_path / "compose.yaml")


def test_files_that_include_one_another_in_a_circle(tmp_path: Path) -> None:
    for name, other in (("compose", "b"), ("b", "c"), ("c", "compose")):
        (tmp_path / f"{name}.yaml").write_text(f"include: [{other}.yaml]\n")
    with pytest.raises(DeclaredFileError, match=r"c\.yaml:1: it includes .*compose\.yaml, which includes it"):
        compose(tmp_path / "compose.yaml")


def test_services_of_files_that_extend_one_another_in_a_circle(tmp_path: Path) -> None:
    for name, other in (("compose", "b"), ("b", "compose")):
        text = f"services: {{a: {{extends: {{file: {other}.yaml, service: a}}}}}}\n"
        (tmp_path / f"{name}.yaml").write_text(text)
    with pytest.raises(DeclaredFileError, match="the service a extends itself"):
        compose(tmp_path / "compose.yaml")


def test_a_file_may_lead_to_no_more_than_many(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    for number in range(1100):
        (tmp_path / "d" / f"{number}.yaml").write_text("services: {}\n")
    listed = ", ".join(f"d/{number}.yaml" for number in range(999))
    (tmp_path / "compose.yaml").write_text(f"include:\n  - path: [{listed}]\n  - d/1000.yaml\n  - d/1001.yaml\n")
    with pytest.raises(DeclaredFileError, match="leads to more than 1000 files"):
        compose(tmp_path / "compose.yaml")


def test_files_that_each_include_the_next_many_times_come_to_an_end(tmp_path: Path) -> None:
    for number in range(12):
        text = "include: [" + ", ".join([f"{number + 1}.yaml"] * 9) + "]\n"
        (tmp_path / f"{number}.yaml").write_text(text)
    (tmp_path / "12.yaml").write_text("services: {}\n")
    began = time.monotonic()
    with pytest.raises(DeclaredFileError, match="leads to more than 1000 files"):
        compose(tmp_path / "0.yaml")
    assert time.monotonic() - began < MOST_SECONDS


def test_what_may_not_be_read_is_an_error_and_not_taken_for_absent(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir()
    (tmp_path / "closed" / "compose.yaml").write_text("services: {}\n")
    (tmp_path / "closed").chmod(0)
    with permissions_that_count(), pytest.raises(DeclaredFileError, match="Permission denied"):
        compose(tmp_path / "closed" / "compose.yaml")


UNITS: dict[str, tuple[str, str, str]] = {
    "no assignment": ("a.container", "[Container]\nImage\n", r"a\.container:2: expected KEY=VALUE"),
    "no section": ("a.container", "Image=x\n", r"a\.container:1: expected KEY=VALUE in a section"),
    "an open section": ("a.container", "\n[Container\n", r"a\.container:2: expected a section"),
    "no YAML for kube": ("a.kube", "[Kube]\nYaml=none.yaml\n", r"none\.yaml: cannot be read"),
}


@pytest.mark.parametrize(("name", "text", "words"), UNITS.values(), ids=UNITS)
def test_a_unit_that_does_not_hold(tmp_path: Path, name: str, text: str, words: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(DeclaredFileError, match=words):
        read_quadlets([str(path)], [], Followed(), [])

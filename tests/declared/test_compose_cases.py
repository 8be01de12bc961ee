"""Compose files of every form, with what docker compose says of them: the reader must say the same."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from dockersweep.declared.compose.project import ComposeProject, chosen_files, chosen_in_folder, read_project
from dockersweep.declared.followed import Followed
from dockersweep.errors import DeclaredFileError
from dockersweep.model.declared import DeclaredKind

CASES = Path(__file__).parent / "compose_cases"
KINDS: dict[DeclaredKind, str] = {"image": "images", "volume": "volumes", "network": "networks"}
NAMED = {
    ("x-dev", "n"): "x-dev-net",
    ("interp", "d"): "vol_1.2",
    ("merged", "data"): "renamed",
}
"""What is declared with a name of its own and used by no service, which docker compose does not tell."""


class Case(NamedTuple):
    """One call of docker compose, and what it said."""

    folder: Path
    told: Mapping[str, Any]
    arguments: tuple[str, ...]
    expected: Mapping[str, Any]
    """The answer for all profiles, where that is more."""

    @property
    def cwd(self) -> Path:
        return self.folder / str(self.told["cwd"])

    def values(self, flag: str) -> tuple[str, ...]:
        """The values of a flag."""
        pairs = zip(self.arguments, self.arguments[1:], strict=False)
        return tuple(str(self.cwd / value) for name, value in pairs if name == flag)


def _cases() -> dict[str, Case]:
    found: dict[str, Case] = {}
    for path in sorted(CASES.glob("*/expected.json")):
        told = json.loads(path.read_text())
        arguments = tuple(told["command"].split()[2:])
        found[path.parent.name] = Case(path.parent, told, arguments, told.get("with --profile *", told))
        variant = told.get("with --project-directory")
        if variant is not None:
            more = (*arguments, "--project-directory", "Other Dir")
            found[f"{path.parent.name} --project-directory"] = Case(path.parent, told, more, variant)
        if "with -p" in told:
            found[f"{path.parent.name} -p"] = Case(path.parent, told, (*arguments, "-p", "flag"), told["with -p"])
    return found


ALL = _cases()
ACCEPTED = {name: case for name, case in ALL.items() if "exit" not in case.expected}
REFUSED = {name: case for name, case in ALL.items() if "exit" in case.expected}


def read(case: Case) -> ComposeProject:
    """What our own reader says."""
    followed = Followed()
    files, folder = case.values("-f"), case.values("--project-directory")
    env_files = case.values("--env-file") or None
    if files or env_files:
        named = files or (str(case.cwd / "compose.yaml"),)
        chosen = chosen_files(named, case.told["env"], followed, folder[0] if folder else None, env_files)
    else:
        # Compose looks for the file in the folders above as well; a policy names it.
        found = (chosen_in_folder(str(one), case.told["env"], followed) for one in (case.cwd, *case.cwd.parents))
        chosen = next(one for one in found if one is not None)
    names = [value for name, value in zip(case.arguments, case.arguments[1:], strict=False) if name == "-p"]
    return read_project(chosen, followed, *names)


def names(project: ComposeProject, kind: DeclaredKind) -> set[str]:
    return {one.name for one in project.objects if one.kind == kind and not one.is_pattern}


def test_all_that_were_given_are_here() -> None:
    assert len({case.folder for case in ALL.values()}) == 36
    assert len(REFUSED) == 3


@pytest.mark.parametrize("name", ACCEPTED)
def test_our_reader_agrees_with_docker_compose(name: str) -> None:
    case = ACCEPTED[name]
    project = read(case)
    assert project.name == case.expected["project"]
    images = {*case.expected["images"]}
    for service in case.expected["services"].values():
        images |= {*service.get("build_tags", ()), *service.get("image_mounts", ())}
    built = {name for name, service in case.expected["services"].items() if service.get("image_is_default")}
    # By the name that podman-compose gives it, too.
    assert names(project, "image") == images | {f"{project.name}_{name}" for name in built}
    for kind in ("volume", "network"):
        # It doubles the dollars of names.
        told = {one.replace("$$", "$") for one in case.expected[KINDS[kind]]}
        unused = case.told.get(f"{kind}s_declared_but_not_told (keys, by --no-interpolate)", ())
        assert names(project, kind) == told | {
            NAMED.get((project.name, key), f"{project.name}_{key}") for key in unused
        }


@pytest.mark.parametrize("name", REFUSED)
def test_our_reader_refuses_what_docker_compose_refuses(name: str) -> None:
    with pytest.raises(DeclaredFileError) as raised:
        read(REFUSED[name])
    assert str(raised.value).startswith(f"{REFUSED[name].cwd}/compose.yaml")

"""Quadlets: our reader names what the units name that Podman's own generator makes of them."""

import os
import re
import shlex
import subprocess
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import pytest

from dockersweep.declared.followed import Followed
from dockersweep.declared.quadlets.folders import standard_folders, units_below
from dockersweep.declared.quadlets.reading import read_quadlets
from dockersweep.declared.reader import DeclaredReader, Kept
from dockersweep.errors import DeclaredFileError
from dockersweep.model.declared import Declared
from tests.rig.engines.roots import EXPERIMENTAL_PODMAN, FORKY_PODMAN, Root

UNITS: Mapping[str, str] = {
    "db.container": "[Unit]\nAfter=x\n[Container]\nImage=app.image\nVolume=data.volume:/d\nVolume=named:/n:ro\n"
    "Volume=/abs:/a\nVolume=/anon\nNetwork=net.network\nNetwork=plain:ip=10.0.0.1\nMount=type=image,source=img:1,target=/i\n"
    "Mount=type=volume,src=mounted,dst=/z\nMount=type=bind,src=/x,dst=/y\n",
    "db.container.d/10.conf": "# overrides\n[Container]\nVolume=added:/e\\\n# between\n:ro\n",
    "container.d/x.conf": "[Container]\nNetwork=of-all\n",
    "reset.container": "[Container]\nImage=first:1\nImage=second:2\nVolume=gone:/g\nVolume=\nVolume=kept:/k\n",
    "data.volume": "[Volume]\n",
    "net.network": "[Network]\nNetworkName=real-net\n",
    "other.network": "[Network]\n",
    "app.image": "[Image]\nImage=quay.io/x/app:2\n",
    "b.build": "[Build]\nImageTag=localhost/b:1\nImageTag=localhost/b:2\nSetWorkingDirectory=unit\n"
    "File=./Containerfile\nVolume=cache.volume:/c\n",
    "Containerfile": "ARG V=3\nFROM --platform=$BUILDPLATFORM base:$V AS one\nCOPY --from=tools:1 /a /b\nFROM one\n",
    "cache.volume": "[Volume]\nVolumeName=real-cache\n",
    "sub/inner.container": "[Container]\nImage=b.build\nPod=p.pod\n",
    "shop.example/dotted.volume": "[Volume]\n",
    ".git/hidden.volume": "[Volume]\n",
    "not-read.d/drop-in.volume": "[Volume]\n",
    "p.pod": "[Pod]\nPodName=pp\nVolume=of-pod:/x\nNetwork=pod-net\n",
    "joined.container": "[Container]\nImage=o:1\nNetwork=db.container\n",
    "k.kube": "[Kube]\nYaml=k.yaml\nNetwork=net.network\n",
    "k.yaml": "",
    "ignored.timer": "[Timer]\nOnCalendar=daily\n",
}


def write(folder: Path, units: Mapping[str, str]) -> None:
    for name, text in units.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def declared(folder: Path, notes: list[str] | None = None) -> list[Declared]:
    """What the units in a folder declare."""
    followed = Followed()
    return read_quadlets(units_below(str(folder), followed), [str(folder)], followed, [] if notes is None else notes)


def names(found: list[Declared]) -> set[tuple[str, str]]:
    return {(one.kind, one.name) for one in found}


def made_by_podman(root: Root, folder: Path) -> set[tuple[str, str]]:
    """The images, volumes and networks that the commands of the generated units name."""
    path = root.build()
    loader = [str(path / "lib64/ld-linux-x86-64.so.2"), "--library-path", f"{path}/usr/lib/x86_64-linux-gnu"]
    done = subprocess.run(
        [*loader, str(path / "usr/libexec/podman/quadlet"), "-dryrun"],
        env={"QUADLET_UNIT_DIRS": str(folder), "PATH": os.defpath},
        capture_output=True,
        text=True,
        check=True,
    )
    found: set[tuple[str, str]] = set()
    for command in re.findall(r"^Exec(?:Start|StartPre)=(/usr/bin/podman .*)$", done.stdout, re.MULTILINE):
        words = shlex.split(command)[1:]
        if words[:2] in (["volume", "create"], ["network", "create"]):
            found.add((words[0], words[-1]))
        elif words[0] == "run" or words[:2] == ["image", "pull"]:
            found.add(("image", words[-1]))
        for option, value in pairwise(words):
            source = value.partition(":")[0]
            if option == "--tag":
                found.add(("image", value))
            elif option == "-v" and not value.startswith("/"):
                found.add(("volume", source))
            elif option == "--network" and source != "container":
                found.add(("network", source))
            elif option == "--mount":
                options = dict(part.partition("=")[::2] for part in value.split(","))
                found |= {(options["type"], options["source"])} if options["type"] in ("image", "volume") else set()
    return found


@pytest.mark.engines
@pytest.mark.parametrize("root", [FORKY_PODMAN, EXPERIMENTAL_PODMAN], ids=lambda root: root.suite)
def test_our_reader_agrees_with_podmans_generator(tmp_path: Path, root: Root) -> None:
    write(tmp_path, UNITS)
    ours = names(declared(tmp_path))
    theirs = made_by_podman(root, tmp_path)
    assert len(theirs) > 15
    assert ours - theirs == {("image", "base:3"), ("image", "tools:1"), ("image", "first:1")}
    assert theirs - ours == set()


def test_reasons_get_file_and_line(tmp_path: Path) -> None:
    write(tmp_path, {"a.container": "[Container]\nImage=a:1\n\nVolume=v:/v\n", "w.volume": "[Volume]\n"})
    places = {(one.name, Path(one.path).name, one.line) for one in declared(tmp_path)}
    assert places == {("a:1", "a.container", 2), ("v", "a.container", 4), ("systemd-w", "w.volume", None)}


def test_what_a_specifier_stands_for_is_any_name(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "t@.container": "[Container]\nImage=app:%i\nVolume=t@.volume:/t\nVolume=%h/x:/x\nVolume=of-%p:/p\n",
            "t@.volume": "[Volume]\n",
            "one.container": "[Container]\nImage=${IMAGE}:1\nVolume=%N-data:/d\nVolume=100%%:/e\n"
            "Volume=named.volume:/n\n",
            "named.volume": "[Volume]\nVolumeName=my-%N\n",
            "w@blue.container": "[Container]\nImage=app:%i\n",
        },
    )
    notes: list[str] = []
    found = declared(tmp_path, notes)
    patterns = {(one.kind, one.name) for one in found if one.is_pattern}
    assert patterns == {("image", "app:*"), ("volume", "systemd-t-*"), ("image", "*:1")}
    exact = names([one for one in found if not one.is_pattern])
    assert exact >= {("volume", "one-data"), ("volume", "of-t"), ("volume", "100%"), ("image", "app:blue")}
    # What the unit of the volume makes, and what the container mounts: findings/quadlet-volume-name.sh.
    assert exact >= {("volume", "my-named-volume"), ("volume", "my-one")}
    assert not any("x" in name for kind, name in exact if kind == "volume")
    told = {note.removeprefix(f"{tmp_path}/").removesuffix(": every name that fits is kept") for note in notes}
    assert told >= {
        't@.container:2: "app:%i" is not fully known',
        't@.container:3: "t@.volume:/t" is not fully known',
        't@.volume:1: "systemd-t-%i" is not fully known',
        'one.container:2: "${IMAGE}:1" is not fully known',
    }


def test_a_containerfile_that_names_a_variable_or_is_missing_gets_a_note(tmp_path: Path) -> None:
    write(tmp_path, {"a.build": "[Build]\nSetWorkingDirectory=a\n", "b.build": "[Build]\nSetWorkingDirectory=b\n"})
    write(tmp_path, {"a/Containerfile": "ARG V\nFROM a:1\nFROM b:$V\n"})
    notes: list[str] = []
    assert {("image", "a:1"), ("image", "b:*")} <= names(declared(tmp_path, notes))
    assert notes == [
        f'{tmp_path}/a/Containerfile:3: "b:$V" is not fully known: every name that fits is kept',
        f"{tmp_path}/b.build: there is no {tmp_path}/b/Containerfile: the images it builds on are not protected",
    ]


KUBE = """\
apiVersion: v1
kind: Pod
metadata: {name: p}
spec:
  initContainers: [{name: i, image: "init:1"}]
  containers:
    - {name: a, image: "a:1"}
  volumes:
    - {name: v, persistentVolumeClaim: {claimName: claim}}
    - {name: w, image: {reference: "files:1"}}
    - {name: x, hostPath: {path: /x}}
---
kind: Deployment
spec: {template: {spec: {containers: [{image: "b:1"}]}}}
---
kind: PersistentVolumeClaim
metadata: {name: made}
---
kind: ConfigMap
---
kind: Gateway
"""


def test_what_kubernetes_yaml_names(tmp_path: Path) -> None:
    write(tmp_path, {"k.kube": "[Kube]\nYaml=k.yaml\n", "k.yaml": KUBE})
    notes: list[str] = []
    assert names(declared(tmp_path, notes)) == {
        *(("image", name) for name in ("init:1", "a:1", "files:1", "b:1")),
        *(("volume", name) for name in ("claim", "made")),
        ("network", "podman-default-kube-network"),
    }
    [note] = notes
    assert note.endswith("k.yaml:21: a document of kind Gateway is skipped")


def test_aliases_in_kubernetes_yaml_are_not_multiplied(tmp_path: Path) -> None:
    lines = ["x0: &x0 {containers: [{image: 'a:1'}]}"]
    lines += [f"x{n}: &x{n} {{spec: *x{n - 1}, template: *x{n - 1}, jobTemplate: *x{n - 1}}}" for n in range(1, 50)]
    text = "\n".join(["kind: Pod", *lines, "spec: *x49\n"])
    write(tmp_path, {"k.kube": "[Kube]\nYaml=k.yaml\n", "k.yaml": text})
    assert ("image", "a:1") in names(declared(tmp_path))


def test_a_masked_unit_declares_nothing(tmp_path: Path) -> None:
    write(tmp_path, {"a.volume": "[Volume]\n"})
    (tmp_path / "b.volume").symlink_to("/dev/null")
    assert names(declared(tmp_path)) == {("volume", "systemd-a")}


def test_a_folder_that_links_to_itself_ends(tmp_path: Path) -> None:
    write(tmp_path, {"a.volume": "[Volume]\n"})
    (tmp_path / "again").symlink_to(tmp_path)
    assert names(declared(tmp_path)) == {("volume", "systemd-a")}


def test_folders_that_are_too_deep_are_not_passed_over(tmp_path: Path) -> None:
    write(tmp_path, {"a/" * 20 + "a.volume": "[Volume]\n"})
    assert names(declared(tmp_path)) == {("volume", "systemd-a")}
    write(tmp_path, {"b/" * 40 + "b.volume": "[Volume]\n"})
    with pytest.raises(DeclaredFileError, match="folders more than 30 deep"):
        declared(tmp_path)


def test_the_folders_of_a_user_come_before_those_of_the_system() -> None:
    system = standard_folders({"HOME": "/root"}, is_root=True)
    assert "/etc/containers/systemd" in system
    environment = {"HOME": "/home/ann", "XDG_RUNTIME_DIR": "/run/user/7"}
    assert standard_folders(environment, is_root=False) == (
        "/home/ann/.config/containers/systemd",
        "/run/user/7/containers/systemd",
        "/etc/containers/systemd/users",
        "/usr/share/containers/systemd/users",
    )


def test_root_reads_the_units_of_all_users_and_a_user_none_of_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, {f"users/{one}/u{one}.volume": "[Volume]\n" for one in (1001, 1002)})
    write(tmp_path, {"users/all.volume": "[Volume]\n"})
    below = [Path(one).name for one in units_below(str(tmp_path), Followed())]
    assert below == ["u1001.volume", "u1002.volume", "all.volume"]
    monkeypatch.setattr(os, "geteuid", lambda: 1002)
    below = [Path(one).name for one in units_below(str(tmp_path / "users"), Followed())]
    assert below == ["u1002.volume", "all.volume"]


def test_paths_may_be_files_and_folders(tmp_path: Path) -> None:
    write(tmp_path, {"units/a.volume": "[Volume]\n", "b.volume": "[Volume]\n", "c.volume": "[Volume]\n"})
    kept = Kept({}, {})
    patterns = [str(tmp_path / "units"), str(tmp_path / "[b]*.volume"), str(tmp_path / "z*")]
    found = DeclaredReader({}, None, kept).quadlets(patterns, is_root=True)
    assert names(list(found.objects)) == {("volume", "systemd-a"), ("volume", "systemd-b")}
    assert found.notes == (f"{tmp_path / 'z*'} matches no file",)


def test_standard_folders_need_not_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # One is there, one is no folder, and the third is missing.
    write(tmp_path, {"there/a.volume": "[Volume]\n", "file": ""})
    standard = [str(tmp_path / name) for name in ("there", "file", "missing")]
    monkeypatch.setattr("dockersweep.declared.quadlets.folders.SYSTEM_FOLDERS", standard)
    found = DeclaredReader({}, None, Kept({}, {})).quadlets(True, is_root=True)
    assert names(list(found.objects)) == {("volume", "systemd-a")}
    assert found.notes == (f"{tmp_path}/file: not a quadlet",)


def test_a_machine_may_have_many_quadlets(tmp_path: Path) -> None:
    write(tmp_path, {f"web-{number}.container": f"[Container]\nImage=web:{number}\n" for number in range(1100)})
    found = DeclaredReader({}, None, Kept({}, {})).quadlets([str(tmp_path)], is_root=True)
    assert len(names(list(found.objects))) == 1100

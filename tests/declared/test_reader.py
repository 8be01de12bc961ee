"""What the files of a policy declare together: which are read, what is kept of unchanged ones, and what is noted."""

import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from dockersweep.declared.paths import matching
from dockersweep.declared.reader import DeclaredReader, Kept, Reading
from dockersweep.errors import DeclaredFileError
from dockersweep.model.declared import Declarations
from tests.rig.privileges import permissions_that_count


def compose(*patterns: Path | str, kept: Kept | None = None) -> Declarations:
    """What files declare, read without the plugin."""
    reader = DeclaredReader({}, None, Kept({}, {}) if kept is None else kept)
    return reader.compose(list(map(str, patterns)), lambda done, of: None)


def names(found: Declarations, kind: str = "image") -> set[str]:
    return {one.name for one in found.objects if one.kind == kind}


def write(folder: Path, **files: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)
    return folder


def test_each_file_that_a_pattern_matches_is_a_project(tmp_path: Path) -> None:
    for name in ("shop", "blog", ".hidden"):
        text = f"services: {{a: {{image: 'of-{name.strip('.')}:1', volumes: ['vv:/v']}}}}\nvolumes: {{vv: }}\n"
        write(tmp_path / name, compose__yaml=text)
    found = compose(tmp_path / "*" / "compose.yaml")
    assert names(found) == {"of-shop:1", "of-blog:1"}
    assert names(found, "volume") == {"shop_vv", "blog_vv"}
    assert {one.project for one in found.projects} == {"shop", "blog"}


def test_a_file_that_another_leads_to_is_no_project_of_its_own(tmp_path: Path) -> None:
    write(
        tmp_path,
        compose__yaml="name: p\nservices: {a: {image: 'a:1'}}\n",
        compose__override__yaml="services: {a: {image: 'a:2'}}\n",
        other__yaml="name: q\nservices: {b: {image: 'b:1'}}\n",
    )
    found = compose(tmp_path / "*.yaml")
    assert names(found) == {"a:2", "b:1"}
    assert [one.project for one in found.projects] == ["p", "q"]


def test_a_file_that_the_policy_names_counts_though_env_names_others(tmp_path: Path) -> None:
    write(
        tmp_path,
        compose__yaml="services: {a: {image: 'named:1'}}\n",
        one__yaml="services: {a: {image: 'one:1'}}\n",
        __env="COMPOSE_FILE=one.yaml\nCOMPOSE_PROJECT_NAME=p\n",
    )
    assert names(compose(tmp_path / "compose.yaml")) == {"one:1", "named:1"}


def test_files_that_belong_together_are_merged(tmp_path: Path) -> None:
    write(
        tmp_path,
        a__yaml="name: p\nservices: {a: {image: 'a:1', volumes: ['vv:/v']}}\nvolumes: {vv: {}}\n",
        b__yaml="services: {a: {image: 'a:2'}}\nvolumes: {vv: {name: real}}\n",
    )
    found = compose(f"{tmp_path}/a.yaml:{tmp_path}/b.yaml")
    assert (names(found), names(found, "volume")) == ({"a:2"}, {"real"})


def test_tags_reset_and_override_what_an_earlier_file_says(tmp_path: Path) -> None:
    base = """
name: p
services:
  a: {image: 'a:1', volumes: ['vv:/v', 'ww:/w'], build: {context: ., tags: ['t:1']}}
  b: {image: 'b:1'}
  c: {image: 'c:1', networks: [n]}
volumes: {vv: {}, ww: {}}
networks: {n: {}}
"""
    over = """
services:
  a: {volumes: !override ['vv:/x'], build: {tags: !override ['t:2']}}
  b: !reset null
  c: {networks: !reset null}
volumes: {ww: !reset null}
"""
    write(tmp_path, a__yaml=base, b__yaml=over)
    found = compose(f"{tmp_path}/a.yaml:{tmp_path}/b.yaml")
    assert names(found) == {"a:1", "t:2", "c:1"}
    assert names(found, "volume") == {"p_vv"}
    assert names(found, "network") == {"p_n", "p_default"}


def test_what_is_included_is_of_the_same_project(tmp_path: Path) -> None:
    write(
        tmp_path,
        compose__yaml="name: p\ninclude:\n  - sub/compose.yaml\n  - {path: [x.yaml, y.yaml], env_file: e.env}\n"
        "services: {a: {image: 'a:1'}}\n",
    )
    write(
        tmp_path,
        x__yaml="services: {x: {image: 'x:${X}', build: ./bx}}\n",
        y__yaml="volumes: {of-y: }\n",
        e__env="X=5\n",
    )
    sub = write(
        tmp_path / "sub", compose__yaml="name: other\nservices: {s: {image: 's:${S}', build: .}}\n", __env="S=7\n"
    )
    write(sub, Dockerfile="FROM sub-base:1\n")
    write(tmp_path / "bx", Dockerfile="FROM x-base:1\n")
    found = compose(tmp_path / "compose.yaml")
    assert names(found) == {"a:1", "x:5", "s:7", "sub-base:1", "x-base:1"}
    assert names(found, "volume") == {"p_of-y"}


def kept_by(place: str, written: str) -> str:
    return f'{place}: "{written}" has a variable without a value: every name that fits is kept'


def test_builds_that_name_a_variable_get_a_note(tmp_path: Path) -> None:
    text = (
        "name: p\nservices:\n  a:\n    build:\n      context: .\n"
        "      tags: ['t:1', 't:${T}']\n      additional_contexts: {c: 'docker-image://c:${C}'}\n"
        "  b: {build: {dockerfile_inline: 'FROM $$I'}}\n  c: {build: {dockerfile: Known}}\n"
    )
    write(tmp_path, compose__yaml=text, Dockerfile="ARG X\nFROM $X\nCOPY --from=d:${Y}-1 /a /a\n", Known="FROM k:1\n")
    found = compose(tmp_path / "compose.yaml")
    assert {one.name for one in found.objects if one.is_pattern} == {"*", "t:*", "c:*", "d:*-1"}
    assert set(found.notes) == {
        kept_by(f"{tmp_path}/compose.yaml:6", "t:${T}"),
        kept_by(f"{tmp_path}/compose.yaml:7", "docker-image://c:${C}"),
        kept_by(f"{tmp_path}/compose.yaml:8", "$I"),
        kept_by(f"{tmp_path}/Dockerfile:2", "$X"),
        kept_by(f"{tmp_path}/Dockerfile:3", "d:${Y}-1"),
    }


def test_a_variable_without_a_value_may_have_any(tmp_path: Path) -> None:
    text = (
        "name: p-${STAGE}\nservices: {a: {image: 'app:${TAG}', build: .}, b: {image: '${R-}b:${V:-1}'}}\nvolumes: {v: }"
    )
    found = compose(write(tmp_path, compose__yaml=text) / "compose.yaml")
    exact = {(one.kind, one.name) for one in found.objects if not one.is_pattern}
    assert exact == {("image", "app:"), ("image", "b:1"), ("volume", "p-_v"), ("network", "p-_default")}
    patterns = {(one.kind, one.name) for one in found.objects if one.is_pattern}
    assert patterns == {("image", "app:*"), ("volume", "p-*_v"), ("network", "p-*_default")}
    assert found.notes == (
        kept_by(f"{tmp_path}/compose.yaml:1", "p-${STAGE}"),
        kept_by(f"{tmp_path}/compose.yaml:2", "app:${TAG}"),
        f"{tmp_path}/compose.yaml:2: there is no {tmp_path}/Dockerfile: the images it builds on are not protected",
    )


def test_a_name_that_is_a_variable_without_a_value_may_be_any(tmp_path: Path) -> None:
    text = "name: p\nservices: {a: {image: '${IMAGE}'}}\nvolumes: {v: {name: '${NAME}'}, w: {name: ''}}\n"
    found = compose(write(tmp_path, compose__yaml=text) / "compose.yaml")
    assert {one.name for one in found.objects if one.is_pattern} == {"*"}
    assert names(found, "volume") == {"*", "p_v", "p_w"}


def test_what_dockerfiles_stand_on_is_declared(tmp_path: Path) -> None:
    text = """
name: p
services:
  a: {build: {context: ctx, dockerfile: Other, args: {V: '2', W: }}}
  b: {build: {dockerfile_inline: "FROM inline:1\\nRUN --mount=type=bind,from=mounted:1,target=/m true\\n"}}
  c: {build: {context: ., additional_contexts: {base: 'docker-image://context:1', s: 'service:a'}}}
  d: {build: 'https://example.com/x.git'}
"""
    dockerfile = """# escape=`
ARG V=1
ARG W=w
ARG X
FROM a:$V AS first
RUN <<EOF
FROM no-image:1
EOF
FROM --platform=$BUILDPLATFORM `
    b:${W} as Second
COPY --from=first /a /a
COPY --from=c:1 /a /a
COPY --from=0 /a /a
FROM second
FROM d:$X
FROM scratch
"""
    write(tmp_path, compose__yaml=text)
    write(tmp_path / "ctx", Other=dockerfile)
    found = compose(tmp_path / "compose.yaml")
    of_files = {name for name in names(found) if not name.startswith(("p-", "p_"))}
    assert of_files - {"no-image:1"} == {"a:2", "b:w", "c:1", "d:", "d:*", "inline:1", "mounted:1", "context:1"}
    assert names(found) > {"p-a", "p-b", "p-c", "p-d"}
    by = {one.by for one in found.objects if one.name == "a:2"}
    assert by == {"the Dockerfile of service a"}
    assert any("the Dockerfile in https://example.com/x.git is not fetched" in note for note in found.notes)


def test_an_argument_of_a_build_without_a_value_has_that_of_the_variable(tmp_path: Path) -> None:
    text = "services: {a: {build: {context: ., args: [V]}}, b: {build: {context: ., args: {V: , W: }}}}\n"
    own = "include: [{path: own/compose.yaml, env_file: own/x.env}]\n"
    write(tmp_path, compose__yaml=own + text, __env="V=2\n", Dockerfile="ARG V=1\nARG W=w\nFROM base:$V-$W\n")
    write(tmp_path / "own", compose__yaml="services: {c: {build: {context: .., args: [W]}}}\n", x__env="W=3\n")
    found = compose(tmp_path / "compose.yaml")
    assert {name for name in names(found) if name.startswith("base")} == {"base:2-w", "base:1-3"}


def test_an_argument_without_any_value_takes_that_of_an_earlier_file_back(tmp_path: Path) -> None:
    write(tmp_path, compose__yaml="services: {a: {build: {context: ., args: {V: '3'}}}}\n")
    write(tmp_path, compose__override__yaml="services: {a: {build: {args: {V: }}}}\n")
    write(tmp_path, Dockerfile="ARG V=1\nFROM base:$V\n")
    found = compose(tmp_path / "compose.yaml")
    assert {name for name in names(found) if name.startswith("base")} == {"base:1"}


def test_a_network_that_network_mode_names_is_declared(tmp_path: Path) -> None:
    text = (
        "name: p\nservices: {a: {image: 'a:1', network_mode: made-by-hand}, b: {image: b, network_mode: 'service:a'}}\n"
    )
    found = compose(write(tmp_path, compose__yaml=text) / "compose.yaml")
    assert names(found, "network") == {"made-by-hand"}


def kept_of(kept: Kept) -> Kept:
    """What a next run knows, as it comes out of the ledger."""
    told = {key: msgspec.json.encode(reading) for key, reading in kept.new.items()}
    return Kept({key: msgspec.json.decode(one, type=Reading) for key, one in told.items()}, {})


CHANGES: dict[str, Callable[[Path], object]] = {
    "the file": lambda folder: (folder / "compose.yaml").write_text("services: {a: {image: 'a:9'}}\n"),
    "its override": lambda folder: (folder / "compose.override.yaml").write_text("services: {a: {image: 'a:9'}}\n"),
    "its .env": lambda folder: (folder / ".env").write_text("TAG=9\n"),
    "what it includes": lambda folder: (folder / "i.yaml").write_text("services: {i: {image: 'a:9'}}\n"),
    "a Dockerfile that was not there": lambda folder: (folder / "Dockerfile").write_text("FROM a:9\n"),
    "a file in its place": lambda folder: (folder / "new.yaml").rename(folder / "compose.yaml"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_is_unchanged_is_not_read_again(tmp_path: Path, change: Callable[[Path], object]) -> None:
    write(
        tmp_path,
        compose__yaml="include: [i.yaml]\nservices: {a: {image: 'a:${TAG:-1}', build: .}}\n",
        i__yaml="services: {i: {image: 'i:1'}}\n",
        new__yaml="services: {a: {image: 'a:9'}}\n",
    )
    first = Kept({}, {})
    before = compose(tmp_path / "compose.yaml", kept=first)
    assert len(first.new) == 1
    second = kept_of(first)
    assert compose(tmp_path / "compose.yaml", kept=second) == before
    assert second.new == {}
    change(tmp_path)
    third = kept_of(first)
    assert "a:9" in names(compose(tmp_path / "compose.yaml", kept=third))
    assert len(third.new) == 1


def test_a_kept_file_that_has_become_unreadable_is_an_error(tmp_path: Path) -> None:
    first = Kept({}, {})
    compose(write(tmp_path / "a", compose__yaml="services: {a: {image: 'a:1'}}\n") / "compose.yaml", kept=first)
    (tmp_path / "a").chmod(0)
    try:
        with permissions_that_count(), pytest.raises(DeclaredFileError, match="Permission denied"):
            compose(tmp_path / "a" / "compose.yaml", kept=kept_of(first))
    finally:
        (tmp_path / "a").chmod(0o700)


def test_a_path_must_be_there_and_a_pattern_need_not(tmp_path: Path) -> None:
    with pytest.raises(DeclaredFileError, match=r"none\.yaml: does not exist, but the policy names it"):
        compose(tmp_path / "none.yaml")
    found = compose(tmp_path / "*" / "compose.yaml")
    assert found == Declarations(notes=(f"{tmp_path}/*/compose.yaml matches no file",))


def test_a_pattern_that_matched_before_and_matches_nothing_now_is_an_error(tmp_path: Path) -> None:
    pattern = tmp_path / "srv" / "*" / "compose.yaml"
    for name in ("a", "b"):
        write(tmp_path / "srv" / name, compose__yaml="services: {}\n")
    first = Kept({}, {})
    compose(pattern, kept=first)
    # That a project is gone is no error, that all are may be a disk that is not mounted.
    (tmp_path / "srv" / "a" / "compose.yaml").unlink()
    assert len(compose(pattern, kept=kept_of(first)).projects) == 1
    (tmp_path / "srv").rename(tmp_path / "not-mounted")
    with pytest.raises(DeclaredFileError, match=r"\*/compose\.yaml: matches no file, but did in an earlier run"):
        compose(pattern, kept=kept_of(first))
    assert compose(pattern).notes


def test_a_folder_that_may_not_be_searched_may_hold_a_file(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0)
    with permissions_that_count(), pytest.raises(DeclaredFileError, match=r"closed.*Permission denied"):
        compose(tmp_path / "closed" / "*.yaml")
    with permissions_that_count(), pytest.raises(DeclaredFileError, match=r"closed.*Permission denied"):
        compose(tmp_path / "*" / "compose.yaml")


def test_a_part_of_a_pattern_stands_for_one_folder(tmp_path: Path) -> None:
    for path in ("a/c.yaml", "a/b/c.yaml", "d.yaml"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    assert matching(f"{tmp_path}/*/c.yaml") == [f"{tmp_path}/a/c.yaml"]
    assert matching(f"{tmp_path}/*/*/[ab]*/../c.yaml") == []
    assert matching(f"{tmp_path}/?.yaml") == [f"{tmp_path}/d.yaml"]
    assert matching(f"{tmp_path}/a/../d.yaml") == [f"{tmp_path}/d.yaml"]
    with pytest.raises(DeclaredFileError, match="not an absolute path"):
        matching(os.path.relpath(tmp_path))


def test_an_image_that_is_built_has_the_name_of_docker_compose_or_of_podman_compose(tmp_path: Path) -> None:
    write(tmp_path, compose__yaml="name: p\nservices: {a: {build: .}, b: {build: ., image: 'b:1'}}\n")
    assert names(compose(tmp_path / "compose.yaml")) == {"p-a", "p_a", "b:1"}


def test_a_path_that_is_no_utf_8_is_an_error_that_can_be_shown(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path) + b"/\xff"
    os.mkdir(folder)
    Path(os.fsdecode(folder), "compose.yaml").write_text("services: {}\n")
    with pytest.raises(DeclaredFileError, match=r"\\udcff/.*: its path is not UTF-8"):
        compose(tmp_path / "*" / "compose.yaml")


@pytest.mark.parametrize("text", ['include: ["a\\0b"]\n', 'services: {a: {extends: {file: "a\\0b", service: x}}}\n'])
def test_a_path_with_a_null_byte_is_an_error(tmp_path: Path, text: str) -> None:
    with pytest.raises(DeclaredFileError, match="null byte"):
        compose(write(tmp_path, compose__yaml=text) / "compose.yaml")


@pytest.mark.parametrize(
    ("name", "project"), [("Own-1.2", "own-12"), ("_x", "x"), ('""', "folder"), ("${X-a.B}", "ab")]
)
def test_a_name_in_a_file_is_made_one_of_a_project(tmp_path: Path, name: str, project: str) -> None:
    path = write(tmp_path / "folder", compose__yaml=f"name: {name}\nvolumes: {{v: }}\n") / "compose.yaml"
    assert names(compose(path), "volume") == {f"{project}_v"}

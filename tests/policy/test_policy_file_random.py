"""No policy file can do harm: it is read, or refused with the place of what is wrong."""

import tomllib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dockersweep.commands.policy_source import default_policy_text
from dockersweep.errors import PolicyError
from dockersweep.policy.language.lint import lint_policy
from dockersweep.policy.language.problems import Problem
from dockersweep.policy.language.reading import read_policy, read_policy_file
from dockersweep.policy.language.toml_text import TomlText, read_toml
from tests.rig.policies import ISSUE, PLACES, paths, uncommented


def hold(problems: tuple[Problem, ...], data: bytes) -> None:
    """Assert that each problem is one line of text, and lies inside the file."""
    read = read_toml(data)
    text = read.text if isinstance(read, TomlText) else data.removeprefix(b"\xef\xbb\xbf").decode(errors="replace")
    lines = text.split("\n")
    for problem in problems:
        assert problem.text
        assert problem.text.isprintable()
        if problem.line is not None and problem.column is not None:
            assert 1 <= problem.line <= len(lines)
            assert 1 <= problem.column <= len(lines[problem.line - 1]) + 1
    assert list(problems) == sorted(problems, key=lambda one: (one.line or 0, one.column or 0))


def check(data: bytes) -> None:
    """Assert that a file is read, or refused in one line that has the place of the first of its problems."""
    problems = read_policy_file(data, "a test").problems
    hold(problems, data)
    hold(lint_policy(read_policy_file(data, "a test")), data)
    if not problems:
        read_policy(data, "a test")
        return
    with pytest.raises(PolicyError) as raised:
        read_policy(data, "a test")
    first = problems[0]
    place = "a test" if first.line is None else f"a test, line {first.line}, column {first.column}"
    assert str(raised.value).startswith(f"{place}: {first.text}")
    assert str(raised.value).isprintable()


@given(st.binary())
def test_no_bytes_do_harm(data: bytes) -> None:
    check(data)


PIECES = [
    *(
        "[",
        "]",
        "[[",
        "]]",
        "{",
        "}",
        "=",
        ".",
        ",",
        '"',
        "'",
        "\n",
        "\r\n",
        "\t",
        "#",
        "\\",
        "\0",
        "é",
        "日",
        "\ufeff",
    ),
    *("[[rule]]\n", "[rule]\n", "[rule.match]\n", "[target]\n", 'name = "a"\n', 'kind = "volume"\n', "match.", "not."),
    *(
        "true",
        "0",
        "-1",
        "1.5",
        "inf",
        "nan",
        "0x" + "f" * 5000,
        "2026-01-01",
        "07:30:00",
        '""',
        '"/(/"',
        '"all"',
        "[]",
    ),
    *("everything = true\n", "removes_nothing = true\n", "keep.last = 0\n", 'free = "0B"\n', '"\\u001b" = 1\n'),
]


@st.composite
def edited(draw: st.DrawFn) -> str:
    """A valid policy of which some pieces are left out, doubled or replaced."""
    text = draw(st.sampled_from([ISSUE, PLACES, default_policy_text(), uncommented(default_policy_text())]))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 40)))
        piece = draw(st.sampled_from(["", text[start:end] * 2, *PIECES]) | st.text(max_size=5))
        text = text[:start] + piece + text[end:]
    return text


@given(edited())
@example("version = 1\n[[rule]]\n[[rule]]\n")
@example('version = 1\nrule = [1, {name = "a"}, []]\n')
@example("version = 1\n[target]\nfree = nan\n")
def test_no_edit_does_harm(text: str) -> None:
    check(text.encode(errors="surrogatepass"))


VALUES = st.recursive(
    st.sampled_from(
        [
            True,
            False,
            0,
            1,
            -1,
            2**70,
            1.5,
            "",
            "all",
            "1d",
            "5%",
            "1GB",
            "a*",
            "/(/",
            "image",
            "k=v",
            "exited",
            "label:x",
        ]
    ),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=3,
)
KEYS = sorted({str(path[-1]) for path in paths(tomllib.loads(uncommented(default_policy_text())))} | {"not", "free"})


def written(value: object) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(written, value))}]"
    return str(value).lower() if isinstance(value, bool) else f"'{value}'" if isinstance(value, str) else str(value)


@st.composite
def tables(draw: st.DrawFn) -> str:
    """A policy of known tables and keys whose values are anything."""
    lines = ["version = 1"]
    for _ in range(draw(st.integers(1, 3))):
        lines += ["[[rule]]", *(["name = 'a'"] * draw(st.integers(0, 1))), "kind = ['image', 'volume']"]
        for table in ("match", "not", "keep", "remove"):
            pairs = draw(st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=3))
            lines.append(f"{table} = {{{', '.join(f'{key} = {written(value)}' for key, value in pairs.items())}}}")
    for table in ("protect", "limits", "target"):
        pairs = draw(st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=3))
        lines += [f"[{table}]", *(f"{key} = {written(value)}" for key, value in pairs.items())]
    return "\n".join(lines)


@given(tables())
def test_no_value_does_harm(text: str) -> None:
    tomllib.loads(text)
    check(text.encode())

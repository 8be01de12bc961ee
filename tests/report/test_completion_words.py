"""What the last word of a command line could be, by the parser alone."""

from functools import cache

import pytest

from dockersweep.parser import build_parser
from dockersweep.report.completion_words import Offer, offer_at
from tests.docs.test_man import actions, verbs

# It takes longer to make than all that is asked of it.
parser = cache(build_parser)


def offer(line: str) -> Offer:
    return offer_at(parser(), line.split(" "))


def words(line: str) -> list[str]:
    return [word for word, _ in offer(line).words]


@pytest.mark.parametrize("verb", verbs())
def test_each_flag_of_a_verb_is_offered_with_what_it_means(verb: str) -> None:
    flags = [action for action in actions(verbs()[verb]) if action.option_strings]
    assert dict(offer(f"{verb} -").words) == {flag.option_strings[-1]: flag.help for flag in flags}


@pytest.mark.parametrize("verb", verbs())
def test_each_choice_is_offered(verb: str) -> None:
    for action in actions(verbs()[verb]):
        choices = list(map(str, action.choices or ()))
        if action.option_strings and action.nargs != 0:
            for line in (f"{verb} {action.option_strings[0]} ", f"{verb} {action.option_strings[-1]}="):
                assert words(line) == choices
                assert offer(line).value == ("file" if action.metavar in ("FILE", "FOLDER") else None)
        elif not action.option_strings and action.choices:
            assert words(f"{verb} ") == choices


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", list(verbs())),
        ("-H x ", list(verbs())),
        ("-Hx --format=json sc", ["scan", "schema"]),
        ("-H", ["-H"]),
        ("plan -v", ["-v"]),
        ("plan --not", ["--not", "--not-kind"]),
        ("plan --format=j", ["json"]),
        ("plan --format c", ["csv"]),
        ("plan --older-than ", []),
        ("plan --archive --not", ["--not", "--not-kind"]),
        ("plan --archive --kind im", ["image"]),
        ("plan web", []),
        ("nothing ", []),
        ("nothing --fo", ["--format"]),
        ("plan --nothing --kind im", ["image"]),
        ("policy check", ["check"]),
        ("policy -o x che", ["check"]),
        ("schema --host -", []),
    ],
)
def test_only_what_can_stand_there_is_offered(line: str, expected: list[str]) -> None:
    assert words(line) == expected


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("explain ", "name"),
        ("explain -H x web", "name"),
        ("explain web other", None),
        ("apply ", "file"),
        ("policy check ", "file"),
        ("plan --policy ", "file"),
        ("--policy=", "file"),
        ("history ", None),
    ],
)
def test_files_and_names_are_left_to_others(line: str, value: str | None) -> None:
    assert offer(line) == Offer((), value, offer(line).flags)  # type: ignore[arg-type]


def test_the_flags_before_it_are_told_of() -> None:
    line = "-Ha --tlsverify --tlscacert=b explain -c d -o e web"
    assert offer(line).flags == {"host": "a", "tlsverify": "", "tlscacert": "b", "context": "d", "output": "e"}

"""The manual as text: what groff makes of it."""

from pathlib import Path

import pytest

from dockersweep.report.manual import page_text
from tests.docs import test_man, test_man_toml
from tests.rig.roff import lines_in_80_columns

pytestmark = pytest.mark.programs

PAGES = [test_man.PAGE, test_man_toml.PAGE]
AS_ASCII = str.maketrans("’“”•−‐", '\'""*--')


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_it_has_the_words_of_groff_in_its_order(page: Path) -> None:
    # A header and a footer are groff's.
    _, *ours = page_text(page.read_text(encoding="utf-8"), 80).splitlines()
    theirs = lines_in_80_columns(page)[1:-1]
    # groff breaks lines behind a hyphen.
    assert words(ours) == words(theirs)


def words(lines: list[str]) -> list[str]:
    return " ".join(" ".join(lines).split()).translate(AS_ASCII).replace("- ", "-").split()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
@pytest.mark.parametrize("width", [40, 80])
def test_it_is_as_wide_as_told_but_for_words_and_examples(page: Path, width: int) -> None:
    lines = page_text(page.read_text(encoding="utf-8"), width).splitlines()
    assert max(map(len, lines)) <= 80
    assert sum(len(line) > width for line in lines) < len(lines) / 20


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (".SH NAMES\na\n.B bold\nc\\-d", "NAMES\n       a bold c-d\n"),
        (".SH A\n.SS b\ntext", "A\n   b\n       text\n"),
        ('.SH A\n.TP\n.BI \\-x " Y"\nwhat it\ndoes\n.PP\nmore', "A\n       -x Y   what it does\n\n       more\n"),
        (".SH A\n.TP\n.B \\-\\-a\\-long\\-one\nbody", "A\n       --a-long-one\n              body\n"),
        (".SH A\n.IP \\(bu 2\none\n.IP \\(bu 2\ntwo", "A\n       * one\n\n       * two\n"),
        (".SH A\nsee\n.PP\n.RS 4\n.EX\n\\e  x\n\ny\n.EE\n.RE", "A\n       see\n\n           \\  x\n\n           y\n"),
        (".SH A\n.SY prog\\~run\n[\\fIx\\fP]\ny\n.YS", "A\n       prog run [x] y\n"),
        (".SH A\none\n.br\ntwo", "A\n       one\n       two\n"),
    ],
)
def test_each_macro(source: str, text: str) -> None:
    assert page_text(f".TH T 1\n{source}", 80) == f"T(1)\n\n{text}"

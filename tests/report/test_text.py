"""Text that a terminal can be trusted with, in the width that it has."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockersweep.report.formats.table import render_table
from dockersweep.report.layout import Column
from dockersweep.report.text import cut_between_parts, display_width, printable, shorten_middle, wrap


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("web-1", "web-1"),
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("two\nlines\r\t", "two\\nlines\\r\\t"),
        ("evil\u202egnp.exe", "evil\\u202egnp.exe"),
        ("\u2066iso\u2069", "\\u2066iso\\u2069"),
        ("\x9b31m", "\\x9b31m"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("line\u2028end", "line\\u2028end"),
        ("\U000e0001tag", "\\U000e0001tag"),
        ("<script>'\"", "<script>'\""),
        ("größe 日本", "größe 日本"),
    ],
)
def test_what_acts_on_a_terminal_is_shown_by_its_code(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text())
def test_printable_text_stays_as_it_is_and_is_on_one_line(text: str) -> None:
    once = printable(text)
    assert printable(once) == once
    assert len(once.splitlines()) <= 1


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [
        ("registry/app:1", 14, "registry/app:1"),
        ("registry/application:1", 11, "regis…ion:1"),
        ("日本語日本語", 7, "日…語"),
        ("abc", 1, "…"),
        ("abc", 0, ""),
    ],
)
def test_a_long_name_keeps_its_start_and_its_end(text: str, width: int, shown: str) -> None:
    assert shorten_middle(text, width) == shown


@given(st.text(st.characters(categories=("L", "N", "P"))), st.integers(min_value=0, max_value=30))
def test_a_shortened_name_fits(text: str, width: int) -> None:
    assert display_width(shorten_middle(text, width)) <= width or display_width(text) <= width


@given(st.text(st.characters(categories=("L", "N", "Zs"))), st.integers(min_value=2, max_value=30))
def test_wrapped_lines_fit(text: str, width: int) -> None:
    assert all(display_width(line) <= width for line in wrap(text, width))


COLUMNS = (Column("NAME", shortens=True), Column("SIZE", right=True), Column("AGE"), Column("WHY", wraps=True))
CELLS = st.text(st.characters(categories=("L", "N", "P", "Zs", "Cc")), max_size=120)


@given(st.lists(st.tuples(CELLS, st.sampled_from(["1 B", "999 GB"]), st.just("3 weeks"), CELLS), max_size=6))
def test_a_table_fits_80_columns_whatever_is_in_it(rows: list[tuple[str, ...]]) -> None:
    lines = render_table(COLUMNS, rows, 80).splitlines()
    assert all(display_width(line) <= 80 for line in lines)
    assert lines[0].split() == ["NAME", "SIZE", "AGE", "WHY"]


def test_a_wide_terminal_shows_names_whole_and_a_pipe_everything() -> None:
    row = ("registry.example.com/team/application:2026-11-24", "1 B", "3 weeks", "because " * 20)
    assert "registry.example.com/team/application:2026-11-24" in render_table(COLUMNS, [row], 200)
    assert len(render_table(COLUMNS, [row], None).splitlines()) == 2


def test_cells_that_look_like_numbers_stay_as_they_are() -> None:
    assert "1e5" in render_table(COLUMNS, [("1e5", "0", "", "007")], 80)
    assert "007" in render_table(COLUMNS, [("1e5", "0", "", "007")], 80)


def test_where_columns_have_no_room_each_row_is_a_paragraph() -> None:
    columns = (Column("NAME", shortens=True), *(Column(f"NUMBER {n}", right=True) for n in range(4)))
    row = ("registry.example.com/team/app", "1.20 MB", "", "3.40 MB", "5")
    assert render_table(columns, [row], 40) == (
        "registry.example.com/team/app: NUMBER 0\n  1.20 MB, NUMBER 2 3.40 MB, NUMBER 3 5\n"
    )
    assert render_table(columns, [row], 40, header=False) == "registry…team/app  1.20 MB    3.40 MB  5\n"


@pytest.mark.parametrize(
    ("width", "cut"),
    [(20, "size 2 MB, of 22; x"), (18, "size 2 MB, of 22 …"), (17, "size 2 MB …"), (11, "size 2 MB …"), (10, "")],
)
def test_a_text_is_cut_between_its_parts(width: int, cut: str) -> None:
    assert cut_between_parts("size 2 MB, of 22; x", width) == cut

"""`policy test`: reasons that are expected by code, rule and fields, and what is told where none is as expected."""

import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import pytest
from msgspec import structs

from dockersweep.model.age_reasons import Aged
from dockersweep.model.reason import About, ForSpace, Group, HeldBy, Kept, NotMatched, Reason, Undated
from dockersweep.policy.testing.reasons import is_as_expected, missing_reasons, reason_keys
from tests.commands.test_policy_cases import HEAD, IMAGES, POLICY, passes, told

WHY = 'why = ["2nd newest", "of app"]'
PLACE = Kept(keep="last", place=2, group=Group(by="repository", kind="image", name="app"))
KEPT = Reason(code="kept", rule="two of each", tag="app:2", about=PLACE)


def expecting(why: str) -> str:
    """The case, with these reasons expected of the image that the rule keeps."""
    assert WHY in IMAGES
    return HEAD + POLICY + IMAGES.replace(WHY, why)


@pytest.mark.parametrize(
    "why",
    [
        'why = { code = "kept" }',
        'why.code = "kept"\nwhy.rule = "two of each"',
        'why = [{ code = "kept", text = "2nd newest" }, { rule = "two of each" }]',
        'why = ["2nd newest", { code = "kept" }]',
    ],
)
def test_a_reason_is_expected_by_what_it_carries(tmp_path: Path, why: str) -> None:
    passes(tmp_path, expecting(why))


@pytest.mark.parametrize(
    ("why", "says"),
    [
        ("why = 3", "line 21, column 7: image.why cannot be the number 3: write a text that stands in a reason, or"),
        ('why = ["kept", {}]', "image.why cannot be "),
        ('why = { cod = "kept" }', 'line 21, column 9: there is no key "cod" in image.why; did you mean "code"?'),
        ('why.code = "kep"', 'line 21, column 12: image.why.code cannot be the text "kep"; did you mean "kept"?'),
        ('why = { what = "keep" }', 'image.why.what cannot be the text "keep"; did you mean "kept"?'),
        ('why = { place = "2" }', 'image.why.place cannot be the text "2": expected int, got str'),
        ('why = { keep = "lst" }', 'image.why.keep cannot be the text "lst"; did you mean "last"?'),
        ('why = { group.nam = "app" }', 'there is no key "nam" in image.why.group; did you mean "name"?'),
        ("why = { zzz = 1 }", "there are code, rule, tag, text, what and what `plan --format json` has in the about"),
    ],
)
def test_a_reason_that_cannot_be_is_broken(tmp_path: Path, why: str, says: str) -> None:
    assert says in told(tmp_path, expecting(why))


def test_a_reason_of_an_object_of_a_saved_inventory_is_checked_too(tmp_path: Path) -> None:
    text = f'{HEAD}policy = "default"\n[[expect]]\nobject = "x"\nverdict = "keep"\nwhy.cod = "kept"\n'
    assert 'there is no key "cod" in expect.why; did you mean "code"?' in told(tmp_path, text)


@pytest.mark.parametrize(
    "expected",
    [
        {"code": "kept", "rule": "two of each", "tag": "app:2"},
        {"what": "kept", "keep": "last", "place": 2, "oldest": False},
        {"group": {"name": "app"}},
        {"text": "2nd newest"},
    ],
)
def test_what_is_written_has_to_agree_and_no_more(expected: dict[str, object]) -> None:
    assert is_as_expected(KEPT, expected)


@pytest.mark.parametrize(
    "expected",
    [
        {"code": "in-use"},
        {"rule": "two"},
        {"code": "kept", "tag": "app:3"},
        {"what": "kept-within"},
        {"place": 3},
        {"oldest": 0},
        {"group": {"name": "app", "by": "project"}},
        {"text": "daily"},
        {"relation": "uses"},
    ],
)
def test_what_does_not_agree_is_not_as_expected(expected: dict[str, object]) -> None:
    assert not is_as_expected(KEPT, expected)


def test_lists_agree_item_by_item() -> None:
    kinds = Reason(code="no-rule", rule="a", about=NotMatched(condition="name", wanted=("a*", "b*")))
    assert is_as_expected(kinds, {"wanted": ["a*", "b*"]})
    assert not is_as_expected(kinds, {"wanted": ["a*"]})
    ages = Aged(measure="created", seconds=9, also=(Aged(measure="built", seconds=5),))
    assert is_as_expected(Reason(code="too-young", rule="a", about=ages), {"also": [{"measure": "built"}]})
    assert not is_as_expected(Reason(code="too-young", rule="a", about=ages), {"also": []})


def test_what_came_out_can_be_copied_into_the_case() -> None:
    evil = Reason(code="kept", rule='"a\x7f\n', about=Undated(dated_at=datetime(2027, 1, 1, tzinfo=UTC)))
    held = HeldBy(relation="uses", kind="container", id="c1", name="web", state="running")
    space = ForSpace(age=Aged(measure="created", seconds=9, also=(Aged(measure="built", seconds=5),)))
    others = (Reason(code="in-use", rule="b", about=held), Reason(code="space", rule="space target", about=space))
    reasons = (KEPT, evil, *others)
    first, *lines = missing_reasons([{"code": "kept", "place": 3}], reasons)
    assert first == 'expected a reason with { code = "kept", place = 3 }, the reasons are:'
    for line, reason in zip(lines, reasons, strict=True):
        why = tomllib.loads(f"why = {line}")["why"]
        assert is_as_expected(reason, why)
        assert list(missing_reasons([why], reasons)) == []
    assert lines[0] == (
        '  { code = "kept", rule = "two of each", tag = "app:2", what = "kept", keep = "last", place = 2, '
        'group = { by = "repository", kind = "image", name = "app" } }  # app:2: 2nd newest of app (keep.last)'
    )


def test_every_field_of_what_a_reason_is_about_can_be_expected() -> None:
    fields = {field.encode_name for table in get_args(About) for field in structs.fields(table)}
    assert fields | {"code", "rule", "tag", "text", "what"} == set(reason_keys())
    # None of them is hidden by one of the reason itself.
    assert not fields & {"code", "rule", "tag", "text", "what"}

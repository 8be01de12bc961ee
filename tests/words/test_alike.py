"""Equal reasons of several objects are said once, with from how old to how old they are."""

from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from dockersweep.model.age_reasons import Aged, Candidate
from dockersweep.model.last_use import UseAction
from dockersweep.model.reason import (
    About,
    Belonging,
    Beyond,
    Doubt,
    Excluded,
    Fact,
    ForSpace,
    Group,
    HeldBy,
    NotMatched,
    OfProject,
    OnlyByRule,
    Reason,
    ReasonCode,
    Recoverable,
    Restart,
)
from dockersweep.units import DAY, HOUR
from dockersweep.words.alike import alike, counted_text, text_of_alike
from dockersweep.words.reasons import reason_text

APP = Group(by="repository", kind="image", name="app")
AT = datetime(2026, 11, 1, tzinfo=UTC)


def reason(about: About, code: ReasonCode = "old-enough") -> Reason:
    return Reason(code=code, rule="a rule", about=about)


def held_by(name: str) -> Reason:
    return reason(HeldBy(relation="uses", kind="container", id=name, name=name, state="exited"), "released")


def of_project(name: str, service: str | None = None, how: Belonging = "certain") -> Reason:
    return reason(OfProject(project=name, service=service, how=how))


def aged(seconds: int, limit: str | None = "24h") -> Aged:
    return Aged(measure="stopped", seconds=seconds, limit=limit)


USED: list[tuple[int, UseAction]] = [(8, "started"), (9, "exited")]
TOGETHER: list[tuple[list[Reason], str]] = [
    ([reason(aged(2 * DAY)), reason(aged(28 * DAY))], "stopped 2 to 28 days ago (limit 24 hours)"),
    ([reason(aged(28 * DAY)), reason(aged(28 * DAY + 5))], "stopped 28 days ago (limit 24 hours)"),
    ([reason(aged(3 * HOUR, None)), reason(aged(5 * HOUR, None))], "stopped 3 to 5 hours ago"),
    (
        [reason(replace(aged(hours * HOUR), is_reached=False)) for hours in (3, 5)],
        "stopped 3 to 5 hours ago (limit 24 hours)",
    ),
    (
        [
            reason(Aged(measure="built", seconds=90 * DAY, date="2026-01-31")),
            reason(Aged(measure="built", seconds=95 * DAY, date="2026-01-31")),
        ],
        "built 90 to 95 days ago (before 2026-01-31)",
    ),
    (
        [
            reason(Aged(measure="unused", seconds=days * DAY, limit="30d", since_at=AT, made_by_hand=True))
            for days in (31, 40)
        ],
        "made by hand, not used for 31 to 40 days (limit 30 days)",
    ),
    (
        [
            reason(Aged(measure="last-used", seconds=DAY * days, limit="7d", action=action, by="web"))
            for days, action in USED
        ],
        "last used 8 to 9 days ago (limit 7 days)",
    ),
    ([held_by("web-10"), held_by("web-2")], "used by containers web-2, web-10, which go too"),
    ([held_by("web-1"), held_by("web-1")], "used by container web-1, which goes too"),
    (
        [held_by(f"web-{number}") for number in range(1, 19)],
        "used by containers web-1, web-2 and 16 more, which go too",
    ),
    ([held_by(f"web-{number}") for number in (1, 2, 3)], "used by containers web-1, web-2, web-3, which go too"),
    ([reason(Recoverable(digest="a@1")), reason(Recoverable(digest="b@2"))], "can be pulled again"),
    (
        [reason(ForSpace(age=aged(DAY, None))), reason(ForSpace(age=aged(9 * DAY, None)))],
        "stopped 24 hours to 9 days ago, least recently used, removed to free space",
    ),
    ([reason(Beyond(place=4, count=3)), reason(Beyond(place=24, count=3))], "4th to 24th newest (keep.last = 3)"),
    (
        [reason(Beyond(place=2, count=1, group=group)) for group in (APP, APP)],
        "2nd newest of app (keep.last = 1)",
    ),
    (
        [reason(Beyond(place=place, count=3, group=replace(APP, name=str(place)))) for place in (5, 4)],
        "4th to 5th newest of each repository (keep.last = 3)",
    ),
    ([of_project("shop", "web"), of_project("shop", "web")], "project shop, service web"),
    ([of_project("shop", "web"), of_project("shop", "db")], "project shop"),
    ([of_project(name) for name in ("c-10", "c-2", "shop")], "projects c-2, c-10, shop"),
    ([of_project(f"c-{number}") for number in range(50)], "projects c-0, c-1 and 48 more"),
    (
        [of_project(name, how="doubtful") for name in ("a", "b")],
        "perhaps of projects a, b: their labels may be inherited from images",
    ),
    ([of_project(name, how="used-last") for name in ("a", "b")], "last used by projects a, b"),
    ([reason(Fact(name="enough"))] * 2, "enough is freed without it"),
]


@pytest.mark.parametrize(("reasons", "text"), TOGETHER, ids=[text for _, text in TOGETHER])
def test_alike_reasons_are_one_sentence(reasons: list[Reason], text: str) -> None:
    assert len(set(map(alike, reasons))) == 1
    assert text_of_alike(reasons) == text


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (reason(aged(DAY)), reason(aged(DAY, "48h"))),
        (reason(aged(DAY)), reason(Aged(measure="created", seconds=DAY, limit="24h"))),
        (reason(aged(DAY)), reason(replace(aged(DAY), only_copy_of="db"))),
        (reason(aged(DAY)), reason(replace(aged(DAY), also=(aged(DAY),)))),
        (held_by("web"), replace(held_by("web"), code="in-use")),
        (reason(OfProject(project="a", how="certain")), reason(OfProject(project="a", how="doubtful"))),
    ],
)
def test_what_differs_in_more_is_said_apart(one: Reason, other: Reason) -> None:
    assert alike(one) != alike(other)


def test_one_alone_is_told_as_it_is() -> None:
    one = reason(aged(2 * DAY))
    assert text_of_alike([one]) == reason_text(one) == "stopped 2 days ago (limit 24 hours)"


@pytest.mark.parametrize(
    ("about", "text"),
    [
        (NotMatched(condition="name", wanted=("web-*",)), "whose name does not match web-*"),
        (NotMatched(condition="tagged", wanted=False, flag="--all-images"), "tagged (add --all-images to include)"),
        (NotMatched(condition="of a newer version", wanted=3), "whose of a newer version does not match 3"),
        (
            NotMatched(condition="restarts_by_itself", wanted=False, restart=Restart(policy="no", restarts=False)),
            "that no rule matches",
        ),
        (NotMatched(condition="restarts_by_itself", wanted=False), "that no rule matches"),
        (Doubt(condition="exit_code"), "of which it is not known whether a rule matches"),
        (Candidate(seconds=None, limit="48h", is_reached=False), "not yet a candidate for 48 hours"),
        (OnlyByRule(restart=Restart(policy="always")), "to be removed only by a rule"),
        (Fact(name="no-rule-matches"), "that no rule matches"),
        (Excluded(condition="labels"), "excluded by not.labels"),
    ],
)
def test_a_reason_stands_behind_a_number_of_objects(about: About, text: str) -> None:
    assert counted_text(Reason(code="no-rule", rule="a rule", tag="app:1", about=about)) == text

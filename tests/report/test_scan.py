"""What a scan shows: what each is called, and since when it is of no use."""

import pytest
from msgspec.structs import replace

from dockersweep.model.inventory import KINDS, Object
from dockersweep.model.last_use import PastUse, UseAction
from dockersweep.policy.judging.survey import Survey
from dockersweep.policy.judging.use import describe_use, reclaim_of_unused
from dockersweep.policy.language.default_policy import DEFAULT_POLICY
from dockersweep.report.disk.layout import disk_layout
from dockersweep.report.disk.words import former_words
from dockersweep.report.formats import formatted
from dockersweep.report.plan import plan_layout
from dockersweep.report.scan import Shown, scan_layout
from tests.rig.inventories import NOW, ago, container, image, inventory, network, plan_of, record, report_of, volume


def scanned(*objects: Object, form: str = "table", width: int | None = None) -> str:
    survey = Survey(inventory(*objects), NOW)
    uses = describe_use(survey)
    freed = reclaim_of_unused(survey, [use.ref for use in uses if not use.in_use]).of_kinds
    shown = Shown(
        inventory=survey.inventory, uses=uses, freed=freed, kinds=KINDS, sort="size", with_used=False, most=None
    )
    return formatted(scan_layout(shown, header=True), form, width)


def test_what_the_last_use_was_is_said_as_plans_say_it() -> None:
    def used(name: str, action: UseAction) -> Object:
        return replace(image(name, f"{name}:1"), uses=(PastUse(at=ago(days=3), action=action),))

    made = [used("a", "loaded"), used("b", "tagged"), used("c", "built"), used("d", "started"), container("job")]
    rows = [" ".join(line.split()) for line in scanned(*made).splitlines()]
    for said in ("a:1 100 B 3 days loaded", "b:1 100 B 3 days tagged", "c:1 100 B 3 days built here"):
        assert f"{said} no container uses it" in rows
    assert "d:1 100 B 3 days last used no container uses it" in rows
    assert "job 0 B 10 days stopped exited (0)" in rows
    # What programs read does not change.
    sources = [line.split(",")[-1] for line in scanned(*made, form="csv").splitlines()[1:]]
    assert sources == ["finished", *["last used"] * 4]


def test_a_report_says_it_of_what_has_no_name() -> None:
    loaded = replace(image("0" * 64), uses=(PastUse(at=ago(days=3), action="loaded"),))
    [item] = report_of(inventory(loaded), DEFAULT_POLICY, None).objects
    assert former_words(item) == "untagged, loaded 3 days ago"
    assert (item.age_source, item.last_action) == ("last used", "loaded")


def test_the_name_of_a_record_ends_in_no_blank() -> None:
    made = replace(record("r"), description="from local ")
    assert "from local," in scanned(made, form="csv")
    assert "| from local |" in scanned(made, form="markdown")


@pytest.mark.parametrize("width", [80, 60, 40])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    running = container("shop-web-1", "running", image="sha256:a", volumes=["data"], size=1_200_000)
    others: list[Object] = [
        image("a", f"registry.example.com/{'team/' * 9}app:1", size=9_000_000),
        network("n"),
        volume("data"),
    ]
    made: list[Object] = [
        running,
        container("job", size=1),
        *others,
        image("0" * 64),
        volume("f" * 64),
        record("r" * 64),
    ]
    screens = [scanned(*made, width=width)]
    plan = plan_of(inventory(*made), DEFAULT_POLICY)
    screens += [formatted(plan_layout(plan, detail), "table", width) for detail in ("grouped", "all")]
    screens.append(
        formatted(disk_layout(report_of(inventory(*made), DEFAULT_POLICY, None), width, False), "table", width)
    )
    for screen in screens:
        assert [line for line in screen.splitlines() if len(line) > width] == []

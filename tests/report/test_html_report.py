"""The HTML page: what it answers, and that in a real browser it loads nothing and runs nothing of others."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from dockersweep.model.inventory import Kind, ScanWarning
from dockersweep.model.report import Group, Report
from dockersweep.report.disk.page.document import page as html_report
from dockersweep.report.disk.page.rows import FIRST_ROWS
from dockersweep.report.text import printable
from tests.rig.browser import Scheme, chromium, opened
from tests.rig.inventories import ENGINE
from tests.rig.reports import GIGABYTE, busy_report, finding, many_objects, report, reported, with_second_disk

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.programs

MANY = 10_000
SIZE = "#objects th:nth-child(4) button"
HOSTILE = (
    "<script>window.ran=1;alert(1)</script>",
    "<img src=x onerror=window.ran=1>",
    "</style></svg></title></table><script>window.ran=1</script>",
    "' onmouseover='window.ran=1' \" onfocus=\"window.ran=1\" autofocus",
    "{{ 7 * 7 }}{% raw %}",
    "javascript:window.ran=1",
    "&lt;b&gt; &amp; &#x41;",
    "\u202egnp.exe\u2066\u2028\u2029\x00\x07\x1b[31m\x7f\x85",
    "]]>--><!--<![CDATA[",
    "Z̸̢̛̟a̵̡̲͝l̶̡͇̂g̷̨̲͗o̴̭͐" * 4,
    "שלום עולם العربية",
    "x" * 5000,
    "https://example.com/pixel.png url(https://example.com/a.css)",
    "\ud800lone",
)
WINDOWS = ((1400, "light"), (1400, "dark"), (400, "light"), (400, "dark"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for all tests here."""
    with chromium() as started:
        yield started


@pytest.fixture
def written(tmp_path: Path) -> Callable[[Report], Path]:
    """Writes the page of a report, and returns where."""

    def write(seen: Report) -> Path:
        file = tmp_path / "report.html"
        file.write_text(html_report(seen), encoding="utf-8")
        return file

    return write


def hostile_report() -> Report:
    """A report in which every text comes from somebody who means ill."""
    kinds: tuple[Kind, ...] = ("container", "image", "volume", "build-cache")
    objects = [
        reported(
            kind, name, (number + 1) * GIGABYTE, project=name if number % 2 else None, repository=name, why=name,
            goes=bool(number % 3), id=f"{kind}{number}",
        )
        for number, name in enumerate(HOSTILE)
        for kind in kinds
    ]  # fmt: skip
    findings = tuple(finding("DS001", name, name, severity="warning", title=name, evidence=(name,)) for name in HOSTILE)
    groups = tuple(Group(name=name, objects=1, size_bytes=1, unused_bytes=1, versions=1) for name in HOSTILE)
    seen = report(
        objects, findings=findings, projects=groups, repositories=groups, policy_source=HOSTILE[1],
        engine=msgspec.structs.replace(ENGINE, name=HOSTILE[0], endpoint=HOSTILE[3], version=HOSTILE[2]),
        warnings=tuple(ScanWarning(about=name, text=name) for name in HOSTILE), not_from_disk=HOSTILE[0],
        size_base="lengths",
    )  # fmt: skip
    trend = busy_report(8).trend
    assert trend is not None
    return on_hostile_disks(msgspec.structs.replace(seen, trend=msgspec.structs.replace(trend, text=HOSTILE[0])))


def on_hostile_disks(seen: Report) -> Report:
    """The report with the mount points and devices that an engine's host may have."""
    main, second = with_second_disk(seen).disks
    named = [
        msgspec.structs.replace(
            second, disk=msgspec.structs.replace(second.disk, mount_point=name, device=name[::-1]), share=f"disk:{name}"
        )
        for name in HOSTILE
    ]
    return msgspec.structs.replace(seen, disks=(main, *named))


@pytest.mark.parametrize(("width", "scheme"), WINDOWS)
@pytest.mark.parametrize(
    "seen",
    [busy_report(), hostile_report(), report(), with_second_disk(busy_report(40), 5)],
    ids=["busy", "hostile", "empty", "disks"],
)
def test_a_page_loads_nothing_says_nothing_and_fits(
    browser: Browser, written: Callable[[Report], Path], seen: Report, width: int, scheme: Scheme
) -> None:
    with opened(browser, written(seen), width, scheme=scheme) as watched:
        watched.page.emulate_media(media="print")
        watched.page.emulate_media(media="screen")
        assert watched.requests == []
        assert watched.said == []
        assert watched.ask("document.documentElement.scrollWidth") == width


def test_hostile_names_run_nothing_and_are_shown_as_they_are(
    browser: Browser, written: Callable[[Report], Path]
) -> None:
    file = written(hostile_report())
    text = file.read_text(encoding="utf-8")
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]", text)
    with opened(browser, file) as watched:
        for selector in ("button", "summary", "tr", "svg.map"):
            for element in watched.page.locator(selector).all()[:10]:
                if element.is_visible():
                    element.hover(force=True)
        assert watched.ask("window.ran") is None
        assert watched.ask("document.scripts.length") == 1
        assert watched.ask("document.querySelectorAll('img,iframe,object,link,base,form,a').length") == 0
        names = "[...document.querySelectorAll('*')].flatMap(element => element.getAttributeNames())"
        assert not [name for name in watched.ask(names) if name.startswith("on") or name == "style"]
        watched.page.locator("#objects").get_by_role("button", name="more of").click()
        shown = watched.ask("[...document.querySelectorAll('#objects td.n')].map(cell => cell.textContent)")
        for name in HOSTILE:
            assert any(cell.startswith(printable(name)[:60]) for cell in shown), name
        assert watched.said == []


@pytest.mark.parametrize(
    "deed",
    [
        "const s = document.createElement('script'); s.textContent = 'window.ran=1'; document.body.append(s)",
        "document.body.setAttribute('onclick', 'window.ran=1'); document.body.click()",
        "new Image().src = 'https://example.com/x.png'",
        "fetch('https://example.com/').catch(() => 0)",
        "document.body.insertAdjacentHTML('beforeend', '<p style=\"color: red\">')",
    ],
)
def test_the_policy_in_the_page_forbids_what_it_does_not_do_itself(
    browser: Browser, written: Callable[[Report], Path], deed: str
) -> None:
    with opened(browser, written(report())) as watched:
        watched.ask(f"(() => {{ {deed} }})()")
        watched.page.wait_for_timeout(50)
        assert watched.ask("window.ran") is None
        assert any("Content Security Policy" in one for one in watched.said)


@pytest.mark.parametrize(("width", "scheme"), WINDOWS)
def test_a_page_is_accessible(browser: Browser, written: Callable[[Report], Path], width: int, scheme: Scheme) -> None:
    with opened(browser, written(with_second_disk(busy_report(40), 5)), width, scheme=scheme) as watched:
        from axe_playwright_python.sync_playwright import Axe

        found = Axe().run(watched.page)
        assert found.violations_count == 0, found.generate_report()
        assert "color-contrast" in {one["id"] for one in found.response["passes"]}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_in_the_map_can_be_read_on_every_tile(
    browser: Browser, written: Callable[[Report], Path], scheme: Scheme
) -> None:
    with opened(browser, written(busy_report(30)), scheme=scheme) as watched:
        names = ("tile-ink", "used", "kept-a", "goes-a", "goes-b", "level-1", "level-2")
        ink, *grounds = [
            watched.ask(f"getComputedStyle(document.documentElement).getPropertyValue('--{name}').trim()")
            for name in names
        ]
        assert min(contrast(ink, ground) for ground in grounds) >= 4.5


def contrast(one: str, other: str) -> float:
    """The contrast of two colours like "#1b1f24", by WCAG 2."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    """How bright a colour is, from 0 to 1."""
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_used_and_removable_are_told_apart_without_colour(browser: Browser, written: Callable[[Report], Path]) -> None:
    with opened(browser, written(busy_report(60))) as watched:
        fills = watched.ask(
            "['goes', 'kept', 'in-use'].map(name => document.querySelector(`.map.wide svg rect.${name}`))"
            ".map(tile => getComputedStyle(tile).fill)"
        )
        assert fills[:2] == ['url("#stripes-wide")', 'url("#dots-wide")']
        assert fills[2].startswith("rgb")


def test_ten_thousand_objects_take_little_time_and_room() -> None:
    seen = busy_report(MANY)
    html_report(report())
    begun = time.process_time()
    text = html_report(seen)
    assert time.process_time() - begun < 2
    assert len(text.encode()) < 3_000_000


def test_ten_thousand_rows_can_be_sorted_and_searched(browser: Browser, written: Callable[[Report], Path]) -> None:
    with opened(browser, written(busy_report(MANY))) as watched:
        page = watched.page
        rows = page.locator("#objects tbody tr")
        assert rows.count() == FIRST_ROWS
        begun = time.monotonic()
        page.get_by_label("Search").fill("WORKER-9998 nowhere")
        assert page.get_by_role("status").inner_text() == "0 of 10001 objects"
        page.get_by_label("Search").fill("volume_9993 VOLUME")
        assert rows.count() == 1
        assert "volume_9993" in rows.first.inner_text()
        page.get_by_label("Search").fill("")
        page.locator(SIZE).click()
        assert watched.ask("document.querySelector('#objects [aria-sort]').getAttribute('aria-sort')") == "descending"
        sizes = "[...document.querySelectorAll('#objects tbody tr')].map(row => +row.cells[3].dataset.v)"
        assert watched.ask(sizes) == sorted(watched.ask(sizes), reverse=True)
        page.locator(SIZE).click()
        assert watched.ask(sizes) == [0] * FIRST_ROWS
        assert time.monotonic() - begun < 10
        page.get_by_role("button", name="Show 200 more").click()
        assert rows.count() == FIRST_ROWS + 200


@pytest.mark.parametrize("clicks", [1, 2])
def test_what_is_not_known_comes_last_whichever_way_it_is_sorted(
    browser: Browser, written: Callable[[Report], Path], clicks: int
) -> None:
    with opened(browser, written(busy_report(20))) as watched:
        for _ in range(clicks):
            watched.page.locator(SIZE).click()
        assert "nfs_share" in watched.page.locator("#objects tbody tr").last.inner_text()


def test_a_narrow_page_sorts_by_a_list(browser: Browser, written: Callable[[Report], Path]) -> None:
    with opened(browser, written(busy_report(20)), 400) as watched:
        watched.page.get_by_label("Sort by").select_option("Name")
        first = watched.page.locator("#objects tbody tr td.n").first.inner_text()
        assert first.startswith("<none>")


def test_all_rows_are_there_without_scripts(browser: Browser, written: Callable[[Report], Path]) -> None:
    with opened(browser, written(busy_report(300)), scripts=False) as watched:
        shown = watched.page.locator("#objects tbody tr:visible")
        assert shown.count() == FIRST_ROWS
        watched.page.get_by_text("smaller objects", exact=False).last.click()
        assert shown.count() == 301
        assert watched.page.locator("#objects button, #objects input").count() == 0


def test_a_page_can_be_printed(browser: Browser, written: Callable[[Report], Path]) -> None:
    with opened(browser, written(busy_report(MANY)), scheme="dark") as watched:
        assert watched.page.pdf(format="A4").startswith(b"%PDF")
        watched.page.emulate_media(media="print")
        assert not watched.page.get_by_label("Search").is_visible()
        assert watched.ask("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def test_the_five_answers_are_on_the_first_screen(browser: Browser, written: Callable[[Report], Path]) -> None:
    with opened(browser, written(busy_report())) as watched:
        answers = watched.page.locator(".answers")
        box = answers.bounding_box()
        assert box is not None
        assert box["y"] + box["height"] < 1000
        text = re.sub(r"\s+", " ", answers.inner_text())
    for told in (
        "What uses the most space? Images",
        "The largest object is image registry.example.com/shop/web:build-0: 9.00 GB.",
        "The largest: image registry.example.com/shop/web:build-2 ",
        "What can be removed? 23.6 GB",
        "33 containers, 67 images, 33 build-cache records",
        "What grows? Volumes: 310 MB a day",
        "When will the disk be full? In 43 to 96 days",
        "What to do first? The disk is nearly full: 91% of its bytes used. Free 23.6 GB, 39 days of growth",
        "dockersweep sweep; for more",
        "Freeing 23.6 GB delays that by 39 days.",
    ):
        assert told in text


def test_a_growing_disk_that_nothing_tells_of_is_not_said_to_be_full_never() -> None:
    text = html_report(report(many_objects(8)))
    assert text.count("Not enough data yet") == 2
    assert "No earlier scans recorded." in text

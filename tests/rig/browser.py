"""Pages in headless Chromium, watched for everything that a page of ours must not do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Dialog, Page

CHROMIUM = "/usr/bin/chromium-headless-shell"
Scheme = Literal["light", "dark"]


@dataclass
class Watched:
    """A page, and what it said on the console, where it failed, and what it asked for besides itself."""

    page: Page
    said: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def refuse(self, dialog: Dialog) -> None:
        """Note what a dialog says, and close it."""
        self.said.append(dialog.message)
        dialog.dismiss()

    def ask(self, script: str) -> Any:
        """Return what the script comes to in the page."""
        return self.page.evaluate(script)


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser for several pages."""
    # Takes as long to import as a twentieth of all tests, in each process that collects them.
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def opened(
    browser: Browser, file: Path, width: int = 1400, *, scheme: Scheme = "light", scripts: bool = True
) -> Iterator[Watched]:
    """The file, opened from disk in a window of this width."""
    context = browser.new_context(
        viewport={"width": width, "height": 1000}, color_scheme=scheme, java_script_enabled=scripts
    )
    watched = Watched(context.new_page())
    watched.page.on("console", lambda message: watched.said.append(message.text))
    watched.page.on("pageerror", lambda error: watched.said.append(str(error)))
    watched.page.on("dialog", watched.refuse)
    watched.page.on("request", lambda request: watched.requests.append(request.url))
    try:
        watched.page.goto(file.as_uri())
        watched.requests.remove(file.as_uri())
        yield watched
    finally:
        context.close()

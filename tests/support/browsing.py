"""A real browser, Debian's Chromium, in which the console is tested."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Dialog, Page, Route, expect, sync_playwright

CHROMIUM = shutil.which("chromium")
_FLAGS = (
    "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
expect.set_options(timeout=20_000)  # the machine may have other work
DESKTOP, PHONE = (1200, 860), (360, 740)
# `make pictures` sets it: where the pictures of the documentation go.
PICTURES = os.environ.get("AUTO_LAMBDA_PICTURES", "")


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser, without a window."""
    root = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*_FLAGS, *root])
        try:
            yield browser
        finally:
            browser.close()


class Tab:
    """A tab of the console; `wrong` collects what a page must never do."""

    def __init__(
        self, browser: Browser, url: str, *, size: tuple[int, int] = DESKTOP, scheme: str = "light", touch: bool = False
    ) -> None:
        width, height = size
        self.context: BrowserContext = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=scheme,  # type: ignore[arg-type]
            has_touch=touch,
            reduced_motion="reduce",
        )
        self.context.set_default_timeout(30_000)
        self.page: Page = self.context.new_page()
        self.url = url
        self.wrong: list[str] = []
        self.page.on("pageerror", lambda error: self.wrong.append(f"error: {error}"))
        self.page.on("dialog", self._asked)
        self.page.on("console", self._logged)

    def _asked(self, dialog: Dialog) -> None:
        self.wrong.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _logged(self, message: ConsoleMessage) -> None:
        # A request that failed is told by the page; a policy that was violated is our mistake, or an attack.
        if message.type == "error" and "Failed to load resource" not in message.text and "net::ERR" not in message.text:
            self.wrong.append(message.text)

    def open(self, place: str = "#/") -> Page:
        """Load the page at a place of it."""
        self.page.goto("about:blank")
        self.page.goto(self.url + place)
        self.page.locator("main h1").wait_for()
        return self.page

    def go(self, place: str) -> Page:
        """Follow a link within the page."""
        self.page.evaluate("place => { location.hash = place }", place)
        return self.page

    def settled(self) -> None:
        """Wait until nothing is loading any more."""
        expect(self.page.locator(".loading")).to_have_count(0)
        self.page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def mock(self, answers: Any) -> None:
        """Answer what the page asks of its server; see `console_answers`."""

        def answer(route: Route) -> None:
            status, kind, body = answers(route.request.method, route.request.url.split("/api/", 1)[1])
            route.fulfill(status=status, content_type=kind, body=body)

        self.page.route("**/api/**", answer)

    def violations(self) -> list[str]:
        """What axe finds wrong for people who use a screen reader, a keyboard, or need contrast."""
        found = Axe().run(self.page).response["violations"]
        return [f"{one['id']}: {node['target']} {node['failureSummary']}" for one in found for node in one["nodes"]]

    def sideways(self) -> int:
        """How many pixels the page is wider than its window."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))

    def picture(self, name: str) -> None:
        """Take a picture for the documentation, if pictures are wanted."""
        if PICTURES:
            self.page.screenshot(path=str(Path(PICTURES) / f"console-{name}.png"), animations="disabled")

    def close(self) -> None:
        self.context.close()

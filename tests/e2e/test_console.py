"""The console as a person uses it, in a browser on a real stack: an app is dropped, broken, understood, taken back."""

from __future__ import annotations

import base64
import json
import os
import pwd
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from browsing import CHROMIUM, PHONE, Tab, chromium
from e2e_stack import AUTO_LAMBDA, Stack, make_zip, until
from playwright.sync_api import Browser, Page, expect

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed: make browser")
LIVE = 150_000  # milliseconds: the builders of the stack may have more to do
HTML = "<img src=x onerror=alert(1)><script>alert(2)</script>"
APP = """
import os

from chalice import Chalice

app = Chalice(app_name="kiosk")


@app.route("/")
def index():
    print(HTML)
    return {"word": WORD, "secret": os.environ.get("SECRET", "none")}
"""
DROP = """
([name, content]) => {
  const bytes = Uint8Array.from(atob(content), (character) => character.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], name, { type: "application/zip" }));
  const how = { dataTransfer: transfer, bubbles: true, cancelable: true };
  for (const kind of ["dragenter", "dragover", "drop"]) document.body.dispatchEvent(new DragEvent(kind, how));
}
"""


def files(word: str, before: str = "") -> dict[str, str]:
    code = before + APP.replace("WORD", repr(word), 1).replace("HTML", repr(HTML))
    return {
        "app.py": code,
        ".chalice/config.json": json.dumps({"version": "2.0", "app_name": "kiosk", "stages": {"dev": {}}}),
    }


def folder(path: Path, content: dict[str, str]) -> Path:
    for name, text in content.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(text)
    return path


@pytest.fixture(scope="module")
def stack(started: Stack) -> Stack:
    """The shared stack; whether the long builds of other tests have begun does not matter here."""
    return started


@pytest.fixture(scope="module")
def url(stack: Stack) -> Iterator[str]:
    """A console of the shared stack, started as its user does."""
    command = [str(AUTO_LAMBDA), "console", "--local", "--no-open", "--json"]
    with subprocess.Popen(
        command, env=stack.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as console:
        assert console.stdout
        line = console.stdout.readline()
        assert line, console.communicate()[1]
        try:
            yield json.loads(line)["url"]
        finally:
            console.send_signal(signal.SIGTERM)
        assert console.wait(30) == 0


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def tab(browser: Browser, url: str) -> Iterator[Tab]:
    tab = Tab(browser, url)
    yield tab
    tab.close()
    assert tab.wrong == []


def answered(stack: Stack, page: Page) -> dict[str, str]:
    """What the app answers at the address that the page shows."""
    address = page.locator(".live a.url").get_attribute("href")
    assert address
    answer: dict[str, str] = stack.http(address).json
    return answer


def drop_again(page: Page, path: Path) -> None:
    page.get_by_role("button", name="Drop a new version").click()
    page.locator("[data-picks=folder]").set_input_files(path)
    page.get_by_role("button", name="Deploy to dev").click()


def ended(page: Page, text: str) -> None:
    expect(page.locator(".now h2")).to_have_text(text, timeout=LIVE)


def test_an_app_is_dropped_broken_understood_and_taken_back(stack: Stack, tab: Tab, tmp_path: Path) -> None:
    page = tab.open()
    page.evaluate(DROP, ["Kiosk 1.zip", base64.b64encode(make_zip(files("one"))).decode()])
    page.get_by_label("Name").fill("kiosk")
    page.get_by_role("button", name="Deploy").click()
    expect(page.locator("h1")).to_have_text("kiosk")
    ended(page, "Went live")
    assert answered(stack, page)["word"] == "one"
    expect(page.locator(".step.done")).to_have_count(8)
    expect(page.locator(".live")).to_contain_text(f"dropped by {pwd.getpwuid(os.getuid()).pw_name}")
    first = page.locator(".live code").get_attribute("title")

    drop_again(page, folder(tmp_path / "broken", files("two", before="import time\ntime.sleep(5)\nimport flaskk\n")))
    expect(page.locator("[aria-current=step]")).to_contain_text("compile", timeout=LIVE)
    tab.picture("building")
    expect(page.locator(".failure")).to_contain_text("No module named 'flaskk'", timeout=LIVE)
    expect(page.get_by_text("What to do", exact=True)).to_be_visible()
    expect(page.get_by_text("a drop that fails changes nothing")).to_be_visible()
    expect(page.locator(".live")).to_contain_text(re.compile(r"dropped by .* · chalice, Python 3\.\d+"))
    expect(page.get_by_role("region", name="Build log", exact=True)).to_contain_text("flaskk")
    tab.picture("failed")
    page.get_by_role("button", name="means").click()
    expect(page.get_by_role("dialog").locator("p").first).to_be_visible()
    page.keyboard.press("Escape")
    assert answered(stack, page)["word"] == "one"

    drop_again(page, folder(tmp_path / "mended", files("two")))
    expect(page.locator(".live code")).not_to_have_attribute("title", str(first), timeout=LIVE)
    ended(page, "Went live")
    assert answered(stack, page)["word"] == "two"

    page.get_by_role("link", name="Releases").click()
    row = page.locator(".release").filter(has=page.locator(f"code[title='{first}']"))
    expect(page.locator(".release")).to_have_count(3)
    tab.picture("releases")
    row.get_by_role("button", name="Roll back to this…").click()
    page.get_by_role("button", name="Roll back", exact=True).click()
    until(lambda: answered(stack, page)["word"] == "one", LIVE / 1000)
    ended(page, "Went live")


def test_its_configuration_is_changed_and_a_secret_is_never_shown(stack: Stack, tab: Tab) -> None:
    page = tab.open("#/apps/dev/kiosk/configuration")
    answers: list[str] = []
    page.on("response", lambda response: answers.append(response.text()) if "configuration" in response.url else None)
    page.get_by_label("Name").fill("SECRET")
    page.get_by_label("Value").fill("hush-hush")
    page.get_by_label("Secret").check()
    page.get_by_role("button", name="Set", exact=True).click()
    expect(page.locator(".variable")).to_contain_text("secret")
    until(lambda: answered(stack, page)["secret"] == "hush-hush", LIVE / 1000)
    assert "hush-hush" not in page.content() + "".join(answers)
    assert len(answers) > 1


def test_what_the_app_logs_is_followed_as_text(stack: Stack, tab: Tab) -> None:
    page = tab.open("#/apps/dev/kiosk/log")
    answered(stack, page)
    box = page.get_by_role("region", name="Log of the functions")
    expect(box).to_contain_text(HTML, timeout=30_000)
    assert page.locator("main img, main script").count() == 0


def test_it_is_promoted_to_another_stage(tab: Tab) -> None:
    page = tab.open("#/apps/dev/kiosk/releases")
    page.get_by_role("button", name="Promote…").click()
    page.get_by_role("button", name="Promote", exact=True).click()
    expect(page.locator(".crumbs")).to_contain_text("prod")
    ended(page, "Went live")


def test_markup_in_a_key_and_in_a_zip_is_shown_as_text(stack: Stack, tab: Tab) -> None:
    stack.s3.put_object(Bucket=stack.bucket, Key=f"apps/{HTML.replace('/', '')}.zip", Body=b"PK")
    stack.drop("dev/markup", make_zip({**files("x"), "requirements.txt": f"{HTML}\n"}))
    page = tab.open("#/apps/dev/markup")
    expect(page.locator(".failure-message")).to_contain_text("<img", timeout=LIVE)
    tab.go("#/")
    expect(page.get_by_role("heading", name="Not taken as an app")).to_be_visible(timeout=LIVE)
    expect(page.locator("main")).to_contain_text("<img src=x onerror=alert(1)>")
    assert page.locator("main img, main script").count() == 0


@pytest.mark.parametrize(("scheme", "size"), [("light", PHONE), ("dark", (1200, 860))])
def test_every_page_fits_and_can_be_used_by_everyone(
    browser: Browser, url: str, scheme: str, size: tuple[int, int]
) -> None:
    tab = Tab(browser, url, scheme=scheme, size=size)
    page = tab.open()
    for name, place in (("apps", "#/"), ("app", "#/apps/dev/kiosk"), ("fleet", "#/fleet")):
        tab.go(place)
        expect(page.locator(".rows, .now, .figures").first).to_be_visible()
        tab.settled()
        assert tab.sideways() == 0
        if (
            name == "app"
        ):  # the others list all that has been dropped, which axe takes minutes for: see `test_console_page`
            assert tab.violations() == []
        if (name, scheme) in {("app", "light"), ("fleet", "dark")}:
            tab.picture(f"{name}-{'phone' if size == PHONE else scheme}")
    tab.close()
    assert tab.wrong == []


def test_the_fleet_is_shown_with_its_backlog(tab: Tab) -> None:
    page = tab.open("#/fleet")
    expect(page.locator(".figure", has_text="waiting").locator("dd")).to_have_text("0", timeout=LIVE)
    expect(page.locator(".plot canvas")).to_be_visible(timeout=LIVE)
    expect(page.get_by_text("dev/kiosk").first).to_be_visible()


def test_the_console_that_local_up_prints_is_the_same(stack: Stack, browser: Browser) -> None:
    tab = Tab(browser, str(stack.ready["console"]))
    expect(tab.open().locator(".drop")).to_be_visible()
    tab.close()
    assert tab.wrong == []

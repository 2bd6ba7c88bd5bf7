"""The console's page in a real browser, in states that a server's answers bring about."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import console_answers as told
import pytest
from browsing import CHROMIUM, DESKTOP, PHONE, Tab, chromium
from console_answers import HTML, LONG, Answers
from e2e_stack import until
from playwright.sync_api import Browser, Route, expect

from auto_lambda_cli.console.context import ConsoleContext
from auto_lambda_cli.console.server import serving
from auto_lambda_cli.target import Target

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed: make browser")
PLACES = {
    "apps": "#/",
    "deployment": "#/apps/dev/shop",
    "log": "#/apps/dev/shop/log",
    "releases": "#/apps/dev/shop/releases",
    "configuration": "#/apps/dev/shop/configuration",
    "fleet": "#/fleet",
}
SHOP = "apps/dev/shop"
Opened = Callable[..., Tab]
WATCH_PROGRESS = """
() => {
  window.seen = [];
  const look = () => { const bar = document.querySelector("progress"); if (bar) seen.push(bar.value); };
  new MutationObserver(look).observe(document.body, { subtree: true, childList: true, attributes: true });
}
"""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The page, with the headers that it is served with; nothing asks AWS, since the browser answers itself."""
    with serving(ConsoleContext(Target("uploads", None), {})) as address:
        yield address.url


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def opened(browser: Browser, address: str) -> Iterator[Opened]:
    """Opens tabs with answers; when the test ends, none of them may have done anything wrong."""
    tabs: list[Tab] = []

    def open_(answers: Answers | None = None, **options: Any) -> Tab:
        tab = Tab(browser, address, **options)
        tab.mock(answers or Answers())
        tabs.append(tab)
        return tab

    yield open_
    wrong = [one for tab in tabs for one in tab.wrong]
    for tab in tabs:
        tab.close()
    assert wrong == []


@pytest.mark.parametrize(("scheme", "places"), [("light", PLACES), ("dark", ("deployment", "fleet"))])
def test_axe_finds_nothing_wrong(opened: Opened, scheme: str, places: Iterable[str]) -> None:
    tab = opened(scheme=scheme)
    tab.open()
    for place in places:
        tab.go(PLACES[place])
        tab.settled()
        assert tab.violations() == [], place


def test_axe_finds_nothing_wrong_in_dialogs(opened: Opened) -> None:
    tab = opened()
    page = tab.open(PLACES["releases"])
    page.get_by_role("button", name="Roll back to this…").first.click()
    assert tab.violations() == []
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    assert tab.violations() == []


def test_no_page_scrolls_sideways_on_a_phone(opened: Opened) -> None:
    answers = Answers()
    answers.set("apps", told.apps(told.row("x" * 40, url=f"https://{LONG}/", error=told.error(LONG), status="failed")))
    answers.set(
        f"{SHOP}/events", told.events(("app", told.failed(LONG, warnings=[LONG], function_log=[LONG])), told.log(LONG))
    )
    answers.set(f"{SHOP}/configuration", told.parts(configuration=[
        {"name": "N" * 100, "value": LONG, "secret": False, "modified": None}]))  # fmt: skip
    tab = opened(answers, size=PHONE, touch=True)
    tab.open()
    for place in PLACES.values():
        tab.go(place)
        tab.settled()
        assert tab.sideways() == 0, place


def test_on_a_phone_the_header_and_the_tabs_take_one_line_each(opened: Opened) -> None:
    page = opened(Answers(), size=PHONE, touch=True).open(PLACES["deployment"])
    expect(page.locator(".tabs")).to_be_visible()
    for line in (".top .brand, .top nav, .top .icon", ".tabs a"):
        boxes = [box for box in (one.bounding_box() for one in page.locator(line).all()) if box]
        assert len(boxes) > 2
        assert max(box["y"] for box in boxes) < min(box["y"] + box["height"] for box in boxes), line


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("chalice cannot compile it:\n  there is no `app`\n  more", "chalice cannot compile it: there is no `app`"),
        ("it fails:\nTraceback (most recent call last):\n  File\nKeyError: 'x'\n", "it fails: KeyError: 'x'"),
        ("no version of `flaskk`\nwas found", "no version of `flaskk`"),
        ("so it ends:", "so it ends:"),
    ],
)
def test_what_is_wrong_is_in_the_list_where_the_first_line_only_announces_it(
    opened: Opened, message: str, said: str
) -> None:
    answers = Answers()
    answers.set("apps", told.apps(told.row("shop", error=told.error(message), status="failed")))
    page = opened(answers).open()
    expect(page.locator(".row-error")).to_have_text(said)


def test_a_release_that_was_deployed_again_names_the_one_that_it_is(opened: Opened) -> None:
    answers = Answers()
    releases = told.releases()
    listed = releases["parts"]["releases"]["value"]["listed"]
    listed[0]["rollback"] = listed[2]["id"]
    answers.set("apps/dev/shop/releases", releases)
    page = opened(answers).open(PLACES["releases"])
    expect(page.locator(".release").first).to_contain_text("the same as 21b2c3d4, deployed")
    expect(page.locator(".release").last).to_contain_text("dropped")


def test_nothing_from_an_app_becomes_markup(opened: Opened) -> None:
    answers = Answers()
    answers.set("apps", told.apps(told.row(HTML, app=None, key=HTML, error=told.error(HTML), by=HTML, framework=HTML)))
    app = told.failed(HTML, warnings=[HTML], function_log=[HTML], worker=HTML, framework=HTML, costs=HTML,
                      permissions={"rights": "granted", "has": [HTML], "added": [HTML], "removed": [HTML]},
                      settings={"file": HTML, "text": HTML}, raw={HTML: HTML})  # fmt: skip
    answers.set(f"{SHOP}/events", told.events(("app", app), told.log(HTML)))
    line = {"at": told.ago(1), "function": HTML, "message": HTML}
    answers.set(f"{SHOP}/runtime", told.events(("lines", {"events": [line], "dropped": 0})))
    text = f"{HTML}\n\n- {HTML}\n\n```\n{HTML}\n```\n[{HTML}](javascript:alert(3))"
    answers.set("help/errors/bad-requirements", told.help_on(text, HTML))
    tab = opened(answers)
    for place in ("apps", "deployment", "log"):
        page = tab.open(PLACES[place])
        expect(page.locator("main")).to_contain_text(HTML)
        assert page.locator("main img, main script, main iframe").count() == 0
    tab.open(PLACES["deployment"]).get_by_role("button", name="What bad-requirements means").click()
    expect(tab.page.locator("dialog")).to_contain_text(HTML)
    assert tab.page.locator("dialog img, dialog script, a[href^='javascript']").count() == 0


def test_an_address_that_runs_code_is_no_link(opened: Opened) -> None:
    answers = Answers()
    answers.set("apps", told.apps(told.row("shop", url="javascript:alert(1)")))
    answers.set(f"{SHOP}/events", told.events(("app", told.parts(
        state=told.state(live={**told.LIVE, "url": "javascript:alert(1)"}), receipt=told.receipt()))))  # fmt: skip
    tab = opened(answers)
    for place in ("apps", "deployment"):
        page = tab.open(PLACES[place])
        expect(page.locator("main")).to_contain_text("javascript:alert(1)")
        assert page.locator("a[href^='javascript']").count() == 0


def test_a_part_that_may_not_be_seen_says_so_and_the_rest_is_shown(opened: Opened) -> None:
    answers = Answers()
    part = told.parts(state=told.state(), receipt=told.refused(message="these credentials may not: s3:GetObject"))
    answers.set(f"{SHOP}/events", told.events(("app", part)))
    page = opened(answers).open(PLACES["deployment"])
    expect(page.get_by_role("alert")).to_contain_text("these credentials may not: s3:GetObject")
    expect(page.locator(".live")).to_contain_text("https://shop.example/")


def test_an_error_in_place_of_the_apps_can_be_tried_again(opened: Opened) -> None:
    answers = Answers()
    answers.set("apps", told.parts(apps=told.refused("throttled", "AWS is asked too often")))
    page = opened(answers).open()
    expect(page.get_by_role("alert")).to_contain_text("AWS is asked too often")
    answers.set("apps", told.apps(told.row("shop")))
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("link", name="shop", exact=True)).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(0)


def test_expired_credentials_are_told_once_and_forgotten_after_a_login(opened: Opened) -> None:
    answers = Answers()
    expired = told.refused("expired-credentials", "The login has expired.")
    answers.set("fleet/events", told.events(("fleet", told.parts(
        queue=expired, dead_letters=expired, workers=expired, running=expired, last=expired))))  # fmt: skip
    answers.set("fleet/series", told.parts(series=expired))
    answers.set("apps", told.parts(apps=expired))
    tab = opened(answers)
    page = tab.open(PLACES["fleet"])
    expect(page.locator(".banner")).to_contain_text("The login has expired.")
    assert page.get_by_text("The login has expired.").count() == 1, "one banner, not a word in every part"
    answers.set("apps", told.apps(told.row("shop")))
    tab.go("#/")
    expect(page.locator(".banner")).to_have_count(0)


def test_after_a_login_what_was_refused_is_asked_for_again(opened: Opened) -> None:
    answers = Answers()
    expired = told.refused("expired-credentials", "Your AWS credentials have expired.")
    answers.set("apps/dev/shop/releases", told.parts(releases=expired))
    page = opened(answers).open(PLACES["releases"])
    expect(page.get_by_text("The releases: not shown without a login.")).to_be_visible()
    answers.set("apps/dev/shop/releases", told.releases())
    page.evaluate("import('./lib/api.js').then(({ login }) => login.set(null))")  # as the app's stream does it
    expect(page.locator(".release").first).to_be_visible()


def test_what_was_not_done_for_want_of_a_login_says_so(opened: Opened) -> None:
    answers = Answers()
    expired = told.refused("expired-credentials", "Your AWS credentials have expired.")
    answers.set("POST apps/dev/shop/rollback", (503, "application/json", json.dumps(expired)))
    page = opened(answers).open(PLACES["releases"])
    page.get_by_role("button", name="Roll back to this…").first.click()
    page.get_by_role("button", name="Roll back", exact=True).click()
    expect(page.get_by_role("dialog")).to_contain_text("That was not done: it needs a login.")
    expect(page.locator(".banner")).to_contain_text("Your AWS credentials have expired.")


def test_a_server_that_is_gone_is_told_and_comes_back(opened: Opened) -> None:
    answers = Answers()
    tab = opened(answers)
    page = tab.open()
    expect(page.get_by_role("link", name="shop", exact=True).first).to_be_visible()

    def gone(route: Route) -> None:
        route.abort()

    page.route("**/api/**", gone)  # before the answers, which stay: the server behind them knows no apps
    expect(page.locator(".banner")).to_contain_text("does not answer", timeout=15_000)
    expect(page.get_by_role("link", name="shop", exact=True).first).to_be_visible()
    page.unroute("**/api/**", gone)
    expect(page.locator(".banner")).to_have_count(0, timeout=15_000)


def test_an_app_that_is_not_there_says_so(opened: Opened) -> None:
    answers = Answers()
    missing = {"code": "no-such-app", "message": "There is no app shpo.", "hint": "Do you mean shop?", "retry": False}
    answers.set("apps/dev/shpo/events", told.events(("app", told.parts(state={"error": missing}, receipt=None))))
    page = opened(answers).open("#/apps/dev/shpo")
    expect(page.get_by_role("alert")).to_contain_text("Do you mean shop?")
    assert page.get_by_role("navigation", name="Parts of shpo").count() == 0


def test_a_stream_that_is_refused_says_why_and_is_not_asked_for_again(opened: Opened) -> None:
    answers = Answers()
    bad = {"error": {"code": "bad-name", "message": "DEV is no stage.", "hint": None, "retry": False}}
    answers.set("apps/DEV/Shop/events", (400, "application/json", json.dumps(bad)))
    page = opened(answers).open("#/apps/DEV/Shop")
    expect(page.get_by_role("alert")).to_contain_text("DEV is no stage.")
    expect(page.locator(".banner")).to_have_count(0)
    asked = len(answers.asked)
    page.wait_for_timeout(1500)
    assert [one for one in answers.asked[asked:] if "Shop" in one] == []


def test_a_stream_that_breaks_off_is_taken_up_again(opened: Opened) -> None:
    answers = Answers()
    status, kind, text = told.events(("app", told.failed()))
    answers.set(f"{SHOP}/events", (status, kind, text.split("event: end")[0]))
    page = opened(answers).open(PLACES["deployment"])
    expect(page.locator(".now h2")).to_have_text("Failed in step build")
    answers.set(f"{SHOP}/events", told.events(("app", told.parts(state=told.state(), receipt=told.receipt()))))
    expect(page.locator(".now h2")).to_have_text("Went live", timeout=15_000)


def test_without_apps_the_page_says_how_to_begin(opened: Opened) -> None:
    answers = Answers()
    answers.set("apps", told.apps())
    page = opened(answers).open()
    expect(page.get_by_text("Nothing is deployed yet")).to_be_visible()


def test_everything_is_reached_by_the_keyboard(opened: Opened) -> None:
    tab = opened()
    page = tab.open()
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Apps", exact=True)).to_be_focused()
    for name in ("Choose a zip", "Choose a folder"):
        page.keyboard.press("Tab")
        expect(page.get_by_role("button", name=name)).to_be_focused()
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid", "the focus is seen"
    expect(page.get_by_role("link", name="shop", exact=True).first).to_be_visible()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # the first app
    expect(page.get_by_role("heading", name="shop")).to_be_focused()
    expect(page.locator(".tabs")).to_be_visible()
    page.keyboard.press("3")
    expect(page.locator(".tabs").get_by_text("Releases")).to_have_attribute("aria-current", "page")
    page.get_by_role("button", name="Roll back to this…").first.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Roll back", exact=True)).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("button", name="Roll back to this…").first).to_be_focused()
    page.keyboard.press("g")
    page.keyboard.press("f")
    expect(page.get_by_role("heading", name="Fleet")).to_be_focused()


def test_single_keys_can_be_turned_off(opened: Opened) -> None:
    tab = opened()
    page = tab.open()
    page.keyboard.press("?")
    page.get_by_label("Single keys do this").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    page.keyboard.press("f")
    expect(page.get_by_role("heading", name="Apps", exact=True)).to_be_visible()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()


def test_steps_that_run_count_their_seconds_and_are_said_aloud(opened: Opened) -> None:
    answers = Answers()
    answers.set(f"{SHOP}/events", told.events(("app", told.building()), ("app", told.failed())))
    tab = opened(answers)
    page = tab.open(PLACES["deployment"])
    expect(page.locator("[role=status][aria-live=polite]").last).to_contain_text("failed in step build")
    answers.set(f"{SHOP}/events", told.events(("app", told.building())))
    page = tab.open(PLACES["deployment"])
    running = page.locator("[aria-current=step]")
    expect(running).to_contain_text("build")
    first = running.inner_text()
    expect(running).not_to_have_text(first)


def test_a_log_of_a_hundred_megabytes_does_not_fill_the_tab(opened: Opened) -> None:
    page = opened().open()
    kept, cut, blocks = page.evaluate(
        """async () => {
          const { LogView } = await import("./lib/logview.js");
          const box = document.createElement("div");
          document.body.append(box);
          const view = new LogView(box);
          const line = "12:00:00 one line of a log, as builds write them, with a number \\n".repeat(1600);
          for (let megabyte = 0; megabyte < 1000; megabyte++) view.append(line);
          return [box.textContent.length, view.cut, box.querySelectorAll("pre").length];
        }"""
    )
    assert kept <= 2_000_000
    assert kept + cut == 1000 * 1600 * 65
    assert blocks < 200


@pytest.mark.parametrize(
    "pieces", [["one\n", "two", "\nthree"], ["x" * 200_000], ["\n" * 40_000], [f"{'line ' * 9}\n"] * 3000]
)
def test_a_log_shows_what_it_was_given(opened: Opened, pieces: list[str]) -> None:
    page = opened().open()
    shown = page.evaluate(
        """async (pieces) => {
          const { LogView } = await import("./lib/logview.js");
          const box = document.createElement("div");
          document.body.append(box);
          const view = new LogView(box);
          for (const piece of pieces) view.append(piece);
          return box.textContent;
        }""",
        pieces,
    )
    assert shown == "".join(pieces)


def test_a_log_follows_its_end_until_one_scrolls_up(opened: Opened) -> None:
    page = opened().open(PLACES["deployment"])
    box = page.get_by_role("region", name="Build log")
    at_end = "box => box.scrollTop > 0 && box.scrollHeight - box.scrollTop - box.clientHeight < 5"
    expect(box).to_contain_text("building")
    until(lambda: box.evaluate(at_end), 10)
    box.evaluate("box => { box.scrollTop = 0 }")
    page.get_by_role("button", name="Follow the end").click()
    expect(page.get_by_role("button", name="Follow the end")).to_have_count(0)
    assert box.evaluate(at_end)


def test_what_was_chosen_is_named_and_what_no_app_needs_stays_here(opened: Opened, tmp_path: Any) -> None:
    folder = tmp_path / "My Shop"
    for name in ("app.py", ".env", ".git/config", "templates/a.html", "x.pyc"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    sent: list[bytes] = []
    tab = opened()
    page = tab.open()

    def take(route: Any) -> None:
        sent.append(route.request.post_data_buffer)
        drop = {"app": {"stage": "dev", "name": "my-shop"}, "key": "k", "release": None, "size": 1, "packing": None}
        route.fulfill(status=201, content_type="application/json", body=json.dumps({"drop": drop}))

    page.route("**/api/drop/folder?**", take)
    page.locator("[data-picks=folder]").set_input_files(folder)
    expect(page.locator(".drop")).to_contain_text("My Shop")
    expect(page.locator(".drop")).to_contain_text("2 files")
    expect(page.get_by_label("Name")).to_have_value("my-shop")
    expect(page.get_by_role("button", name="Deploy")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("my-shop")
    assert sent == [b'{"path":"app.py","size":6}\napp.py{"path":"templates/a.html","size":16}\ntemplates/a.html']


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"notes.txt": b"x"}, "neither a zip nor a folder"),
        ({"big.zip": b"PK" + b"0" * 1_100_000}, "too large"),
        ({f"{number}.py": b"x" for number in range(6)}, "6 files are too many"),
    ],
)
def test_what_cannot_be_an_app_is_told_before_it_is_sent(opened: Opened, files: dict[str, bytes], said: str) -> None:
    answers = Answers()
    page = opened(answers).open()
    buffers: Any = [{"name": name, "mimeType": "", "buffer": content} for name, content in files.items()]
    page.evaluate("document.querySelector('[data-picks=zip]').multiple = true")
    page.locator("[data-picks=zip]").set_input_files(buffers)
    expect(page.get_by_role("alert")).to_contain_text(said)
    assert [one for one in answers.asked if one.startswith("POST")] == []


def test_an_upload_that_is_refused_says_why_and_can_be_tried_again(opened: Opened) -> None:
    answers = Answers()
    answers.set(
        "POST drop", (400, "application/json", json.dumps(told.refused("bad-zip", "it does not begin like a zip")))
    )
    page = opened(answers).open()
    page.locator("[data-picks=zip]").set_input_files({"name": "shop.zip", "mimeType": "", "buffer": b"no"})
    page.get_by_role("button", name="Deploy").click()
    expect(page.get_by_role("alert")).to_contain_text("it does not begin like a zip")
    expect(page.get_by_role("button", name="Deploy")).to_be_enabled()


@pytest.mark.parametrize(
    ("name", "valid"), [("my-shop", True), ("My Shop", False), ("-shop", False), ("a" * 41, False)]
)
def test_a_name_that_no_app_may_have_is_not_sent(opened: Opened, name: str, valid: bool) -> None:
    page = opened().open()
    page.locator("[data-picks=zip]").set_input_files({"name": "shop.zip", "mimeType": "", "buffer": b"PK"})
    field = page.get_by_label("Name")
    typed = "(field, name) => { field.removeAttribute('maxlength'); field.value = name; return field.checkValidity() }"
    assert field.evaluate(typed, name) is valid


def test_a_name_that_no_app_may_have_is_answered_with_the_nearest(opened: Opened) -> None:
    page = opened().open()
    page.locator("[data-picks=zip]").set_input_files({"name": "shop.zip", "mimeType": "", "buffer": b"PK"})
    page.get_by_label("Name").fill("My_Shop")
    expect(page.get_by_label("Name")).to_have_attribute("title", re.compile("for example my-shop$"))


def test_what_the_reference_stresses_is_shown_without_asterisks(opened: Opened) -> None:
    answers = Answers()
    text = "*In `prove`*, **before** anything: `Resource: *` and `logs:*`, 2 * 3"
    answers.set("help/errors/bad-requirements", told.help_on(text))
    page = opened(answers).open(PLACES["deployment"])
    page.get_by_role("button", name="What bad-requirements means").click()
    shown = page.get_by_role("dialog").locator(".prose p")
    expect(shown).to_have_text("In prove, before anything: Resource: * and logs:*, 2 * 3")


def test_an_upload_shows_that_it_is_under_way_and_can_be_cancelled(opened: Opened) -> None:
    tab = opened()
    page = tab.open()
    held: list[Any] = []
    page.route("**/api/drop?**", lambda route: held.append(route))
    page.locator("[data-picks=zip]").set_input_files({"name": "shop.zip", "mimeType": "", "buffer": b"PK" * 9999})
    page.get_by_role("button", name="Deploy").click()
    expect(page.get_by_role("progressbar", name="Upload")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("progressbar")).to_have_count(0)
    expect(page.get_by_role("button", name="Deploy")).to_be_enabled()
    assert len(held) == 1


def test_the_progress_of_an_upload_grows(opened: Opened) -> None:
    tab = opened()
    page = tab.open()
    # Progress is that of bytes which really go to a server.
    page.route("**/api/drop?**", lambda route: route.continue_())
    network = tab.context.new_cdp_session(page)
    slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 300_000}
    network.send("Network.emulateNetworkConditions", slow)
    page.evaluate(WATCH_PROGRESS)
    page.locator("[data-picks=zip]").set_input_files(
        {"name": "shop.zip", "mimeType": "", "buffer": b"PK\3\4" * 240_000}
    )
    page.get_by_role("button", name="Deploy").click()
    until(lambda: len(set(page.evaluate("seen"))) > 3, 30)
    seen = page.evaluate("seen")
    assert seen == sorted(seen)
    page.get_by_role("button", name="Cancel").click()


def test_a_drop_that_no_worker_has_received_is_shown_as_waiting(opened: Opened) -> None:
    answers = Answers()
    live = told.parts(state=told.state(), receipt=told.receipt())
    answers.set(f"{SHOP}/events", told.events(("app", live)))
    drop = {"app": {"stage": "dev", "name": "shop"}, "key": "k", "release": "newer", "size": 1, "packing": None}
    answers.set(f"POST {SHOP}/rollback", (202, "application/json", json.dumps({"drop": drop})))
    tab = opened(answers)
    page = tab.open(PLACES["releases"])
    page.get_by_role("button", name="Roll back to this…").first.click()
    page.get_by_role("button", name="Roll back", exact=True).click()
    expect(page.locator(".now h2")).to_have_text("Waiting for a worker")
    expect(page.locator(".step.waiting")).to_have_count(8)
    answers.set(f"{SHOP}/events", told.events(("app", told.parts(
        state=told.state(), receipt=told.receipt(release="newer")))))  # fmt: skip
    tab.go("#/")
    tab.go(PLACES["deployment"])
    expect(page.locator(".now h2")).to_have_text("Went live")


def test_rights_that_wait_for_approval_are_shown_and_approved_as_shown(opened: Opened) -> None:
    answers = Answers()
    error = {"code": "needs-approval", "message": "It may do more.", "hint": "Approve it.", "help": None}
    answers.set(f"{SHOP}/events", told.events(("app", told.parts(
        state=told.state(), receipt=told.receipt("failed", error=error)))))  # fmt: skip
    changes = ["+ Allow s3:PutObject on bucket", "- Allow s3:GetObject on other"]
    waiting = {"release": told.RELEASE, "changes": changes, "has": [], "digest": "d1"}
    answers.set(f"{SHOP}/approval", told.parts(approval=waiting))
    changed = {"error": {"code": "changed", "message": "It has changed meanwhile.", "hint": None, "retry": False}}
    answers.set(f"POST {SHOP}/approve", (409, "application/json", json.dumps(changed)))
    tab = opened(answers)
    page = tab.open(PLACES["deployment"])
    expect(page.locator(".approval .more")).to_contain_text("more: + Allow s3:PutObject")
    expect(page.locator(".approval .less")).to_contain_text("less: - Allow s3:GetObject")
    page.get_by_role("button", name="Approve…").click()
    assert tab.violations() == []
    page.get_by_role("button", name="Approve", exact=True).click()
    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("It has changed meanwhile.")
    answers.set(f"POST {SHOP}/approve", (202, "application/json", json.dumps({"approved": {}})))
    page.get_by_role("button", name="Approve", exact=True).click()
    expect(page.get_by_text("Approved. A worker deploys it now.")).to_be_visible()


def test_what_a_secret_is_never_stands_in_the_page(opened: Opened) -> None:
    page = opened().open(PLACES["configuration"])
    expect(page.locator(".variable").filter(has_text="API_KEY")).to_contain_text("secret")
    page.get_by_label("Secret").check()
    expect(page.get_by_label("Value")).to_have_attribute("type", "password")


def test_the_plot_is_drawn_and_zooms(opened: Opened) -> None:
    page = opened().open(PLACES["fleet"])
    expect(page.locator(".plot canvas")).to_be_visible()
    expect(page.get_by_role("button", name="All", exact=True)).to_be_disabled()
    page.get_by_role("button", name="Zoom in").click()
    expect(page.get_by_role("button", name="All", exact=True)).to_be_enabled()
    page.get_by_role("button", name="All", exact=True).click()
    expect(page.get_by_role("button", name="All", exact=True)).to_be_disabled()
    over = page.locator(".plot .u-over").bounding_box()
    assert over
    page.mouse.move(over["x"] + over["width"] / 4, over["y"] + 50)
    page.mouse.down()
    page.mouse.move(over["x"] + over["width"] / 2, over["y"] + 60, steps=5)
    page.mouse.up()
    expect(page.get_by_role("button", name="All", exact=True)).to_be_enabled()


def test_a_plot_that_loses_its_figures_leaves_no_error(opened: Opened) -> None:
    answers = Answers()
    tab = opened(answers)
    tab.page.clock.install()
    page = tab.open(PLACES["fleet"])
    expect(page.locator(".plot canvas")).to_be_visible()
    answers.set("fleet/series", told.parts(series={"period": 60, "times": [], "series": {}}))
    page.clock.fast_forward("00:16")
    expect(page.get_by_text("No figures yet")).to_be_visible()


def test_dead_letters_are_looked_at_when_asked_and_sent_again(opened: Opened) -> None:
    answers = Answers()
    answers.set("POST dead-letters/redrive", {"sent": 1})
    page = opened(answers).open(PLACES["fleet"])
    expect(page.get_by_text("1 message that no worker could deal with.")).to_be_visible()
    assert "GET dead-letters" not in answers.asked, "looking hides them from others"
    page.get_by_role("button", name="Show them").click()
    page.get_by_role("button", name="Send again…").click()
    page.get_by_role("button", name="Send again", exact=True).click()
    expect(page.get_by_text("1 message sent again.")).to_be_visible()
    assert "POST dead-letters/redrive" in answers.asked
    expect(page.get_by_text("No dead letters")).to_be_visible()  # although the last look has found it


@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_a_dialog_fits_its_window(opened: Opened, size: tuple[int, int]) -> None:
    answers = Answers()
    answers.set("help/errors/bad-requirements", told.help_on("\n\n".join(["word " * 100] * 30)))
    page = opened(answers, size=size).open(PLACES["deployment"])
    page.get_by_role("button", name="What bad-requirements means").click()
    box = page.get_by_role("dialog").bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= size[0]
    assert box["height"] <= size[1]

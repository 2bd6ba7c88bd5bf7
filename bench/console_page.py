"""Measure the console's page in a browser: until something is painted, until an app can be dropped, and a long log.

The page is served as to its user, and nothing asks AWS, so the figures are the page's and the server's. A visit
is a new context of the browser, with nothing in its cache. Needs Chromium: `make browser`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/support"))

from browsing import Tab, chromium  # noqa: E402
from console_answers import Answers  # noqa: E402
from playwright.sync_api import Browser  # noqa: E402

from auto_lambda_cli.console.context import ConsoleContext  # noqa: E402
from auto_lambda_cli.console.server import serving  # noqa: E402
from auto_lambda_cli.target import Target  # noqa: E402

PAINTED = """
() => new Promise((done) => {
  const told = () => performance.getEntriesByName("first-contentful-paint")[0]?.startTime;
  const wait = () => (told() === undefined ? requestAnimationFrame(wait) : done(told()));
  wait();
})
"""
USABLE = """
() => new Promise((done) => {
  const wait = () => (document.querySelector(".drop") ? done(performance.now()) : requestAnimationFrame(wait));
  wait();
})
"""
LOG = """
async () => {
  const { LogView } = await import("./lib/logview.js");
  const box = document.querySelector("main").appendChild(document.createElement("div"));
  const view = new LogView(box);
  const lines = "12:00:00 one line of a log, as builds write them, with a number \\n".repeat(1600);
  const began = performance.now();
  for (let tenth = 0; tenth < 1000; tenth++) {
    view.append(lines);
    if (tenth % 10 === 0) await new Promise(requestAnimationFrame);
  }
  return performance.now() - began;
}
"""
HEAP = "() => performance.memory.usedJSHeapSize"


def visit(browser: Browser, url: str) -> dict[str, float]:
    """Milliseconds from the request for the page."""
    tab = Tab(browser, url)
    tab.page.route("**/api/apps", lambda route: route.abort())  # nothing is to ask AWS
    tab.context.add_init_script(f"window.usable = ({USABLE})()")
    tab.page.goto(url)
    seen = {"painted": tab.page.evaluate(PAINTED), "usable": tab.page.evaluate("window.usable")}
    tab.close()
    return seen


def long_log(browser: Browser, url: str) -> dict[str, float]:
    """A log of 100 MB: how long the tab takes for it, and what its scripts hold afterwards."""
    tab = Tab(browser, url)
    tab.mock(Answers())
    page = tab.open()
    before = page.evaluate(HEAP)
    seconds = page.evaluate(LOG) / 1000
    session = tab.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    after = page.evaluate(HEAP)
    tab.close()
    return {"seconds": round(seconds, 1), "before_mb": round(before / 1e6, 1), "after_mb": round(after / 1e6, 1)}


def main() -> int:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--visits", type=int, default=10)
    options = parser.parse_args()
    told: dict[str, Any] = {"visits": options.visits}
    with serving(ConsoleContext(Target("uploads", None), {})) as address, chromium() as browser:
        seen = [visit(browser, address.url) for _ in range(options.visits)]
        for name in ("painted", "usable"):
            values = sorted(one[name] for one in seen)
            told[f"{name}_ms"] = {"median": round(statistics.median(values)), "slowest": round(values[-1])}
        told["log_of_100_mb"] = long_log(browser, address.url)
    print(json.dumps(told, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())

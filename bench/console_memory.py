"""Measure the memory of `auto-lambda console` on a local stack: when it has started, and after each thing that it does.

Resident memory (``VmRSS``) after each step, and its peak during it (``VmHWM``), in MB, one step after the other in one
process, so what a step leaves is in the figures of the next.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/support"))

from console import Page  # noqa: E402
from e2e_stack import AUTO_LAMBDA, LocalUp, Stack, make_zip, small_chalice  # noqa: E402
from usage import memory  # noqa: E402

from auto_lambda_cli.console.access import ConsoleAddress  # noqa: E402

APP = "api/apps/dev/small"
READS = (
    "", "api/about", "api/identity", "api/help/errors/bad-config", "api/apps", APP, f"{APP}/releases",
    f"{APP}/configuration", f"{APP}/log", "api/fleet", "api/fleet/series?minutes=60",
)  # fmt: skip
STREAMS = (f"{APP}/events", f"{APP}/runtime", "api/fleet/events")
ZIP_MB = 60
SETTLES = 1.0  # seconds


@contextmanager
def console(stack: Stack, program: Path) -> Iterator[tuple[int, Page]]:
    """Start the console as its user does; its process id, and its page."""
    command = [str(program), "console", "--local", "--no-open", "--json"]
    with subprocess.Popen(command, env=stack.environ, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        ready = json.loads(process.stdout.readline())
        try:
            yield ready["pid"], Page(ConsoleAddress.of(ready["url"]))
        finally:
            process.send_signal(signal.SIGTERM)


class Steps:
    """Measures a process step by step."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.told: dict[str, dict[str, float]] = {}

    def measure(self, name: str, step: Callable[[], object] = lambda: None) -> None:
        Path(f"/proc/{self._pid}/clear_refs").write_text("5")  # the peak begins anew
        step()
        time.sleep(SETTLES)
        self.told[name] = {"left": round(memory(self._pid), 1), "peak": round(memory(self._pid, "VmHWM"), 1)}


def every_part(page: Page, rounds: int = 1) -> None:
    """Ask for all that a page shows but dead letters, and listen to each of its streams."""
    for _ in range(rounds):
        for path in READS:
            assert page.get(path).status == 200, path
        for path in STREAMS:
            with page.stream(path) as events:
                next(events)


def dead_letters(page: Page, stack: Stack, queue: str) -> None:
    """List dead letters, and send them back."""
    item = {"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": stack.bucket}, "object": {"key": "apps/a.zip"}}}
    stack.sqs.send_message(QueueUrl=queue, MessageBody=json.dumps({"Records": [item]}))
    assert len(page.get("api/dead-letters").value("letters")) == 1
    assert page.post("api/dead-letters/redrive").json["sent"] == 1


def approval(page: Page) -> None:
    assert page.get(f"{APP}/approval").value("approval") is None


def change(page: Page, path: str, body: Mapping[str, Any]) -> None:
    answer = page.post(f"{APP}/{path}", body)
    assert answer.status == 202, answer.body


def drop(page: Page) -> None:
    """Drop something as large as a zip may well be; the worker need not like it."""
    body = b"PK\x03\x04" + os.urandom(ZIP_MB * 1_000_000)
    path = f"/{page.address.token}/api/drop?name=large&stage=dev"
    answer = page.ask("POST", path, {**page.own_headers, "Content-Type": "application/zip"}, body)
    assert answer.status == 201, answer.body


def measured(stack: Stack, program: Path, rounds: int) -> dict[str, dict[str, float]]:
    """Every step."""
    queues = stack.sqs.list_queues()["QueueUrls"]
    dead = next(url for url in queues if "DeadLetter" in url)
    with console(stack, program) as (pid, page):
        steps = Steps(pid)
        steps.measure("started")
        steps.measure("every part asked for", lambda: every_part(page))
        steps.measure("the rights that wait", lambda: approval(page))
        steps.measure("dead letters listed and sent back", lambda: dead_letters(page, stack, dead))
        steps.measure(
            "a variable set",
            lambda: change(page, "configuration", {"set": {"GREETING": "hello"}, "unset": [], "secret": False}),
        )
        steps.measure(f"a zip of {ZIP_MB} MB dropped", lambda: drop(page))
        steps.measure(f"every part asked for {rounds} times more", lambda: every_part(page, rounds))
        return steps.told


def main() -> int:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--program", type=Path, default=AUTO_LAMBDA, help="auto-lambda, as it is installed elsewhere")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="auto-lambda-bench-") as folder:
        up = LocalUp(Path(folder))
        try:
            stack = up.ready()
            stack.live(stack.drop("dev/small", make_zip(small_chalice())))
            print(json.dumps(measured(stack, options.program, options.rounds), indent=2))
        finally:
            up.end()
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Measure drop to live with AWS's delays: real drops on the embedded AWS, each call of the worker delayed by a model.

A change of one line of a small app (chalice, requests). The model, each figure with its source, is latency/model.json;
latency/delays.py injects it into the worker at the botocore layer, by real sleeps that are not scaled.

answers: from the upload to the first answer of the new code. receipt: to the receipt that says live. With --rollback,
each round rolls back to the release before instead, from the order on; with --undelayed, nothing is delayed. --calls
lists what the worker has called in the last round until the new code answered: what a drop's seconds go into.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from peers import MINOR

from auto_lambda import drops, keys
from auto_lambda.aws.s3 import ObjectStore
from auto_lambda.receipts import Receipt
from auto_lambda_cli.local_stack.stack import LocalStack, local_client, prepare_tools
from auto_lambda_cli.packing import zip_folder

HERE = Path(__file__).parent / "latency"
APP = keys.App("dev", "small")
_CODE = """
import requests
from chalice import Chalice

app = Chalice(app_name="small")

@app.route("/")
def index():
    return {"told": "%s"}
"""


@dataclass(frozen=True)
class Change:
    """One change of code: when it was uploaded, seconds from then, and what the receipt says of each step."""

    began: float
    answers: float
    receipt: float
    steps: dict[str, float]


class Watch:
    """Asks the app until it gives a certain answer, and notes when."""

    def __init__(self, url: str, wanted: str) -> None:
        self._url = url
        self._wanted = wanted
        self.at: float | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._ask, daemon=True)
        self._thread.start()

    def _ask(self) -> None:
        while not self._over.is_set():
            try:
                with urllib.request.urlopen(self._url, timeout=30) as answer:
                    if self._wanted in answer.read().decode():
                        self.at = time.monotonic()
                        return
            except OSError:
                pass
            self._over.wait(0.05)

    def end(self) -> float:
        """Return when it was, after a last grace of some seconds."""
        self._thread.join(10)
        self._over.set()
        if self.at is None:
            raise SystemExit(f"{self._url} never said {self._wanted}")
        return self.at


class Bench:
    def __init__(self, stack: LocalStack, folder: Path) -> None:
        self._store = ObjectStore(local_client(stack.aws, "s3"))
        self._bucket = stack.pipeline.bucket
        self._folder = folder

    def drop(self, told: str) -> tuple[float, Receipt]:
        """Drop the app; return when it was uploaded, and its last receipt."""
        tree = self._folder / told
        (tree / ".chalice").mkdir(parents=True)
        config = {"version": "2.0", "app_name": "small", "stages": {"dev": {"api_gateway_stage": "api"}}}
        (tree / ".chalice" / "config.json").write_text(json.dumps(config))
        (tree / "requirements.txt").write_text("chalice\nrequests\n")
        (tree / "auto-lambda.toml").write_text(f'python = "{MINOR}"\n')
        (tree / "app.py").write_text(_CODE % told)
        zip_folder(tree, self._folder / "app.zip")
        shutil.rmtree(tree)
        return self._follow(told, lambda: drops.drop(self._store, self._bucket, APP, self._folder / "app.zip"))

    def _follow(self, told: str, order: Callable[[], drops.Drop]) -> tuple[float, Receipt]:
        began = time.monotonic()
        dropped = order()
        *_, last = drops.follow(self._store, dropped, timeout=600, sleep=lambda _: time.sleep(0.02))
        if last.status != "live":
            raise SystemExit(f"{told}: {last.status}: {last.error}")
        return began, last

    def roll_back(self, told: str, version: str) -> tuple[float, Receipt]:
        """Roll back to a version of the zip; return when that was asked for, and the last receipt."""
        return self._follow(told, lambda: drops.again(self._store, self._bucket, APP, version))


def timed(told: str, url: str, order: Callable[[], tuple[float, Receipt]]) -> Change:
    """Time a change until the app answers so, and until its receipt is final."""
    watch = Watch(url, told)
    began, receipt = order()
    ended = time.monotonic()
    return Change(began, watch.end() - began, ended - began, dict(receipt.timings))


def measure(rounds: int, calls: Path, *, rollback: bool, delayed: bool) -> Iterator[Change]:
    """Deploy the app without delays, then change it, or roll it back and forth; note each call in a file."""
    prepare_tools().join()
    with tempfile.TemporaryDirectory(prefix="auto-lambda-latency-") as temporary:
        folder, switch = Path(temporary), Path(temporary, "delayed")
        settings = {
            "PYTHONPATH": str(HERE), "BENCH_LATENCY_SWITCH": str(switch), "BENCH_LATENCY_CALLS": str(calls),
            "AUTO_LAMBDA_POLL_SECONDS": "20",
        }  # fmt: skip
        with LocalStack.start(folder / "stack", settings=settings) as stack:
            bench = Bench(stack, folder)
            first = bench.drop("first")[1]
            versions = {"first": first.object_version or "", "second": bench.drop("second")[1].object_version or ""}
            if delayed:
                switch.touch()
            for number in range(rounds):
                told = ("first", "second")[number % 2] if rollback else f"change-{number}"
                order = partial(bench.roll_back, told, versions[told]) if rollback else partial(bench.drop, told)
                yield timed(told, first.url or "", order)


def table(changes: list[Change]) -> Iterator[str]:
    """Return lines with the median of each figure."""
    yield f"to the first answer of the new version: {statistics.median(it.answers for it in changes):.1f} s"
    yield f"to the receipt: {statistics.median(it.receipt for it in changes):.1f} s"
    for step in dict.fromkeys(step for it in changes for step in it.steps):
        yield f"  {step:<10} {statistics.median(it.steps.get(step, 0.0) for it in changes):.1f} s"


def listed(calls: Path, change: Change) -> Iterator[str]:
    """Return a line for each call that was made until the new code answered, in the order in which they began."""
    made = (json.loads(line) for line in calls.read_text().splitlines())
    until = change.began + change.answers
    for it in sorted((it for it in made if change.began < it["ended"] and it["began"] < until), key=_began):
        at, took = it["began"] - change.began, it["ended"] - it["began"]
        yield f"{at:6.2f} {took:5.2f}  {it['thread'][:10]:<10} {it['call']:<40} {it['about'][-40:]}"


def _began(call: dict[str, Any]) -> float:
    return float(call["began"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="changes; the median is shown")
    parser.add_argument("--rollback", action="store_true", help="roll back instead of changing the code")
    parser.add_argument("--undelayed", action="store_true", help="without AWS's delays")
    parser.add_argument("--calls", action="store_true", help="also list the calls of the last round")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write every figure to this file")
    options = parser.parse_args()
    changes = []
    with tempfile.TemporaryDirectory(prefix="auto-lambda-calls-") as folder:
        calls = Path(folder, "calls")
        for change in measure(options.rounds, calls, rollback=options.rollback, delayed=not options.undelayed):
            told = f"answers after {change.answers:.1f} s, receipt after {change.receipt:.1f} s"
            print(told, file=sys.stderr, flush=True)
            changes.append(change)
        if options.calls:
            print("\n".join(listed(calls, changes[-1])))
    print("\n".join(table(changes)))
    if options.json:
        options.json.write_text(json.dumps([asdict(change) for change in changes], indent=2))


if __name__ == "__main__":
    main()

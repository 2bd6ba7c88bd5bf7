"""Measure drop to live with AWS's delays: real drops on the embedded AWS, each call of the worker delayed by a model.

A change of one line of a small app (chalice, requests). The model, each figure with its source, is latency/model.json;
latency/delays.py injects it into the worker at the botocore layer, by real sleeps that are not scaled.

answers: from the upload to the first answer of the new code. receipt: to the receipt that says live. With --rollback,
each round rolls back to the release before instead, from the order on; with --undelayed, nothing is delayed.
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
    """One change of code: seconds from the upload, and what the receipt says of each step."""

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
    return Change(watch.end() - began, ended - began, dict(receipt.timings))


def measure(rounds: int, *, rollback: bool, delayed: bool) -> Iterator[Change]:
    """Deploy the app without delays, then change it, or roll it back and forth."""
    prepare_tools().join()
    with tempfile.TemporaryDirectory(prefix="auto-lambda-latency-") as temporary:
        folder, switch = Path(temporary), Path(temporary, "delayed")
        settings = {"PYTHONPATH": str(HERE), "BENCH_LATENCY_SWITCH": str(switch), "AUTO_LAMBDA_POLL_SECONDS": "20"}
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="changes; the median is shown")
    parser.add_argument("--rollback", action="store_true", help="roll back instead of changing the code")
    parser.add_argument("--undelayed", action="store_true", help="without AWS's delays")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write every figure to this file")
    options = parser.parse_args()
    changes = []
    for change in measure(options.rounds, rollback=options.rollback, delayed=not options.undelayed):
        print(
            f"answers after {change.answers:.1f} s, receipt after {change.receipt:.1f} s", file=sys.stderr, flush=True
        )
        changes.append(change)
    print("\n".join(table(changes)))
    if options.json:
        options.json.write_text(json.dumps([asdict(change) for change in changes], indent=2))


if __name__ == "__main__":
    main()

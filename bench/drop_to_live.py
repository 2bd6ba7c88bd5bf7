"""Measure drop to live for each example: cold, warm, and with only its code changed. See `make bench` and `--help`.

cold: its dependencies are not cached (the frameworks' tool environments exist, as on any worker).
warm: the same dependencies were built before; the app is new.
code: the app is live, and one line of its code has changed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType

from usage import cpu, memory

from auto_lambda import drops, keys, tools
from auto_lambda.aws.s3 import ObjectStore
from auto_lambda.receipts import Receipt
from auto_lambda_cli.local_stack.board import STEPS
from auto_lambda_cli.local_stack.stack import LocalStack, local_client, prepare_tools
from auto_lambda_cli.packing import zip_folder

EXAMPLES = Path(__file__).parents[1] / "examples"
NAMES = ("quotes", "events", "thumbnails", "guestbook", "statistics")
# The file of each example that a code change touches.
CHANGED = {"guestbook": "entries/views.py"}
TIMEOUT = 600.0
Look = Callable[[], None]


@dataclass(frozen=True)
class Run:
    """One drop: seconds from the upload until the receipt says live, of each step, and until the first step."""

    example: str
    kind: str
    total: float
    waited: float | None
    steps: dict[str, float]
    url: str = ""
    function: str = ""


@dataclass(frozen=True)
class Idle:
    """An idle worker: resident memory in MB, and percent of one processor."""

    when: str
    rss_mb: float
    cpu_percent: float


class Bench:
    def __init__(self, stack: LocalStack) -> None:
        self._stack = stack
        self._store = ObjectStore(local_client(stack.aws, "s3"))

    def drop(self, example: str, kind: str, name: str, change: str = "") -> Run:
        with tempfile.TemporaryDirectory() as folder:
            tree = Path(folder, "app")
            shutil.copytree(EXAMPLES / example, tree)
            if change:
                with (tree / CHANGED.get(example, "app.py")).open("a") as file:
                    file.write(f"\n# {change}\n")
            return self.drop_tree(tree, example, kind, name)

    def drop_tree(self, tree: Path, example: str, kind: str, name: str, look: Look = lambda: None) -> Run:
        """Zip a folder, upload it under a name, and wait until it is live; ``look`` is called meanwhile."""
        with tempfile.TemporaryDirectory() as folder:
            zip_path = Path(folder, "app.zip")
            zip_folder(tree, zip_path)
            began = time.monotonic()
            dropped = drops.drop(self._store, self._stack.pipeline.bucket, keys.App("dev", name), zip_path)
            receipt = self._end(dropped, look)
            total = time.monotonic() - began
        if receipt.status != "live":
            raise SystemExit(f"{example} ({kind}): {receipt.status}: {receipt.error}")
        function = (receipt.serving and receipt.serving.function) or ""
        waited = self._waited(dropped)
        return Run(example, kind, total, waited, dict(receipt.timings), receipt.url or "", function)

    def _end(self, dropped: drops.Drop, look: Look) -> Receipt:
        """Poll every 20 ms, more often than the command line, so that polling does not count."""

        def wait(_: float) -> None:
            look()
            time.sleep(0.02)

        *_, last = drops.follow(self._store, dropped, timeout=TIMEOUT, sleep=wait)
        return last

    def _waited(self, dropped: drops.Drop) -> float | None:
        """Return the seconds from S3's event to the first step, as the worker saw them."""
        for line in reversed(self._stack.children[0].log.read_text().splitlines()):
            event = json.loads(line)
            if event.get("event") == "started" and str(dropped.version)[:12] in str(event.get("upload")):
                return float(event["waited"])
        return None

    def idle(self, when: str, seconds: float) -> Idle:
        pid = self._stack.children[0].pid
        before = cpu(pid)
        time.sleep(seconds)
        return Idle(when, memory(pid), 100 * (cpu(pid) - before) / seconds)


@contextmanager
def fresh_stack(more: Mapping[str, str] = MappingProxyType({})) -> Iterator[LocalStack]:
    """Start a stack with only the tool environments in its caches and a worker with default settings, or with more."""
    prepare_tools().join()
    ours = tools.cache_folder() / "tools"
    with tempfile.TemporaryDirectory(prefix="auto-lambda-bench-") as folder:
        cache = Path(folder, "cache")
        cache.mkdir()
        (cache / "tools").symlink_to(ours)
        settings = {"AUTO_LAMBDA_CACHE": str(cache), "AUTO_LAMBDA_POLL_SECONDS": "20", **more}
        with LocalStack.start(Path(folder, "stack"), settings=settings) as stack:
            make_what_events_listens_to(stack)
            yield stack


def make_what_events_listens_to(stack: LocalStack) -> None:
    """Create the bucket and the queue of the example `events`, which must exist before the app."""
    local_client(stack.aws, "s3").create_bucket(Bucket="events-example")
    local_client(stack.aws, "sqs").create_queue(QueueName="events-example-orders")


def measure(names: Sequence[str], rounds: int, idle_seconds: float) -> tuple[list[Run], list[Idle]]:
    runs: list[Run] = []
    with fresh_stack() as stack:
        bench = Bench(stack)
        idle = [bench.idle("before the first build", idle_seconds)]
        for example in names:
            runs.append(_told(bench.drop(example, "cold", example)))
            for number in range(rounds):
                runs.append(_told(bench.drop(example, "warm", f"{example}-{number}")))
                runs.append(_told(bench.drop(example, "code", example, f"change {number}")))
        idle.append(bench.idle("after the last build", idle_seconds))
    return runs, idle


def _told(run: Run) -> Run:
    print(f"{run.example} {run.kind}: {run.total:.2f} s", file=sys.stderr, flush=True)
    return run


def table(runs: Sequence[Run]) -> Iterator[str]:
    """Print the median of each example and kind, one per line."""
    used = [step for step in STEPS if any(step in run.steps for run in runs)]
    yield f"{'example':<12} {'kind':<5} {'total':>7} {'waited':>7} " + " ".join(f"{step:>7}" for step in used)
    for example, kind in dict.fromkeys((run.example, run.kind) for run in runs):
        same = [run for run in runs if (run.example, run.kind) == (example, kind)]
        waits = [run.waited for run in same if run.waited is not None]
        cells = [
            _median([run.total for run in same]),
            _median(waits),
            *(_median([run.steps[step] for run in same if step in run.steps]) for step in used),
        ]
        yield f"{example:<12} {kind:<5} " + " ".join(f"{cell:>7}" for cell in cells)


def _median(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.3f}" if values else ""


def compare(names: Sequence[str], rounds: int, other: Path) -> Iterator[str]:
    """Measure each example with another checkout and with this one, in turns, and print the ratios of the medians."""
    ratios: dict[str, list[float]] = {}
    yield f"{'example':<12} {'kind':<5} {'before':>7} {'after':>7} {'ratio':>6}"
    for example in names:
        before, after = _measured(other, example, rounds), _measured(Path(__file__).parents[1], example, rounds)
        for kind in before:
            ratio = after[kind] / before[kind]
            ratios.setdefault(kind, []).append(ratio)
            yield f"{example:<12} {kind:<5} {before[kind]:>7.3f} {after[kind]:>7.3f} {ratio:>6.2f}"
    for kind, found in ratios.items():
        yield f"median ratio, {kind}: {statistics.median(found):.2f}"


def _measured(checkout: Path, example: str, rounds: int) -> dict[str, float]:
    """Run the benchmark of a checkout; return its median seconds by kind."""
    with tempfile.TemporaryDirectory() as folder:
        figures = Path(folder, "figures.json")
        command = [str(checkout / ".venv/bin/python"), str(checkout / "bench/drop_to_live.py"), example]
        options = ["--rounds", str(rounds), "--idle", "1", "--json", str(figures)]
        subprocess.run([*command, *options], stdout=subprocess.DEVNULL, cwd=checkout, check=True)
        runs = json.loads(figures.read_text())["runs"]
    kinds = dict.fromkeys(run["kind"] for run in runs)
    return {kind: statistics.median(run["total"] for run in runs if run["kind"] == kind) for kind in kinds}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("examples", nargs="*", default=NAMES, help=f"examples; by default {' '.join(NAMES)}")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of warm and code drops; the median is shown")
    parser.add_argument(
        "--idle", type=float, default=10, metavar="SECONDS", help="how many seconds an idle worker is measured"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write every figure to this file")
    parser.add_argument(
        "--against",
        type=Path,
        metavar="CHECKOUT",
        help="compare with another checkout, which is set up",
    )
    options = parser.parse_args()
    if options.against:
        for line in compare(options.examples, options.rounds, options.against.resolve()):
            print(line, flush=True)
        return
    runs, idle = measure(options.examples, options.rounds, options.idle)
    print("Seconds; median of the rounds.")
    print("\n".join(table(runs)))
    for one in idle:
        print(f"idle worker {one.when}: {one.rss_mb:.0f} MB resident, {one.cpu_percent:.2f}% of one processor")
    load = os.getloadavg()
    print(f"{os.cpu_count()} processors, load {load[0]:.1f} at the end; Python {sys.version.split()[0]}")
    if options.json:
        figures = {"runs": [asdict(run) for run in runs], "idle": [asdict(one) for one in idle], "load": load}
        options.json.write_text(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()

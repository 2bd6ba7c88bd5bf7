"""Compare drop to live with what cannot be left out: installing alone plus the first answer alone. See `--help`.

The bound is measured in the same run: `uv pip install --target` with an empty cache (from sdists with `--no-binary`, as
compiling them cannot be left out), and the app's first request on the embedded AWS.

cold: nothing is cached. seen: another app has had the same dependencies. code: one line of the app has changed.
answers: the same, but until its URL answers with the new code, which is before the receipt says live. added: the
dependencies of an app that was seen, and one more. Each is dropped on a worker that is idle.

A burst is 20 drops of 10 apps at once, with one worker that has two slots. What its slots did is read afterwards,
from the ledger and the worker's log: an attempt has a slot from before its claim until its message is deleted. The
overhead is the part of that in which no step of it was under way: claim, leases, receipts, hand-overs.

With --rivals the packages of other tools are measured as well, once: see `peers.py`.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from drop_to_live import Bench, Run, fresh_stack
from peers import MINOR, SETS, Dependencies, Figure, Peak, change, measure, timed, write_app
from usage import memory

from auto_lambda import drops, keys, tools
from auto_lambda.attempts import Attempt
from auto_lambda.aws.dynamodb import plain
from auto_lambda.aws.s3 import ObjectStore
from auto_lambda_cli.local_stack.stack import LocalStack, local_client
from auto_lambda_cli.packing import zip_folder

OURS, BEFORE, INSTALLING = "ours", "before", "installing"
DROPS = {"cold": "first", "seen": "second", "code": "first", "answers": "first", "added": "third"}
"""Each kind of drop, with the name of its app."""
ADDED = "tabulate==0.9.0"
GOALS = {
    ("small", "cold"): 1.25, ("large", "cold"): 1.25, ("sdists", "cold"): 1.6,
    ("small", "seen"): 2.5, ("small", "code"): 2.5, ("large", "seen"): 2.5, ("large", "code"): 2.5,
    ("small", "answers"): 2.5, ("large", "answers"): 2.5,
    ("small", "added"): 0.5, ("large", "added"): 0.5,
}  # fmt: skip
RIVALS = ("chalice package", "zappa package, uv venv", "aws-lambda-builders")
HEAD = ("set", "kind", "bound", "before", "now", "now / bound", "goal", "best rival's package", "peak MB")
_BURST_APPS, _BURST_DROPS, _SLOTS = 10, 20, 2
_SETTLED = 5.0  # seconds after which a worker has started: its spare builders stand by, pip's configuration is read


@dataclass(frozen=True)
class Ours:
    """One drop of ours: seconds until live, of them until the first answer, and the peak memory in MB."""

    dependencies: str
    kind: str
    seconds: float
    answering: float
    peak_mb: float


@dataclass(frozen=True)
class Burst:
    """Many drops at once.

    Attributes:
        p95: seconds from drop to live of the 95th percentile.
        total: seconds until all ended.
        slots: seconds that attempts had slots.
        steps: seconds that their steps took.
        attempts: their number.
        live: the number of those that went live.
    """

    p95: float
    total: float
    slots: float
    steps: float
    attempts: int
    live: int

    @property
    def overhead(self) -> float:
        """The share of the attempts' time in which no step was under way."""
        return 1 - self.steps / self.slots


def installing(dependencies: Dependencies) -> Figure:
    """Install the dependencies with nothing cached."""
    with tempfile.TemporaryDirectory(prefix="auto-lambda-bench-") as folder:
        project = Path(folder, "app")
        write_app(project, dependencies, dependencies.framework)
        build = ("--no-binary", ":all:") if dependencies.name == "sdists" else ()
        install = [
            tools.uv_executable(), "pip", "install", "--quiet", "--python", str(tools.interpreters()[MINOR]), *build,
            "--target", f"{folder}/out", "--requirement", str(project / "requirements.txt"),
        ]  # fmt: skip
        seconds, peak = timed([install], project, {**os.environ, "UV_CACHE_DIR": f"{folder}/uv"})
    return Figure(INSTALLING, dependencies.name, "cold", seconds, peak)


def ours(dependencies: Dependencies) -> Iterator[Ours]:
    """Drop an app with a set of dependencies, on a stack of its own, once for each kind."""
    with fresh_stack() as stack, tempfile.TemporaryDirectory() as folder:
        bench = Bench(stack)
        tree, more = Path(folder, "app"), Path(folder, "more")
        write_app(tree, dependencies, dependencies.framework)
        write_app(more, replace(dependencies, requirements=(*dependencies.requirements, ADDED)), dependencies.framework)
        worker = stack.children[0].pid
        assert worker is not None
        time.sleep(_SETTLED)
        live: Run | None = None
        for kind, name in DROPS.items():
            word = change(tree) if kind in {"code", "answers"} else ""
            with Peak(worker) as peak:
                answer = FirstAnswer(stack, live, word) if live and kind == "answers" else None
                look = answer.look if answer else lambda: None
                run = bench.drop_tree(more if kind == "added" else tree, dependencies.name, kind, name, look)
            seconds = answer.seconds() if answer else run.total
            yield Ours(dependencies.name, kind, seconds, run.steps["verify"], peak.mb)
            live = run


class FirstAnswer:
    """Notes when an app gives the answer of its new code. It is asked once its alias has moved: asking takes time.

    Args:
        stack: where it is.
        live: the drop that is live.
        word: in the new answer.
    """

    def __init__(self, stack: LocalStack, live: Run, word: str) -> None:
        self._lambda = local_client(stack.aws, "lambda")
        self._live = live
        self._word = word
        self._version = self._live_version()
        self._at: float | None = None
        self._began = time.monotonic()

    def look(self) -> None:
        """See whether the alias has moved; if so, ask the app."""
        if self._at is None and self._live_version() != self._version:
            with urllib.request.urlopen(self._live.url, timeout=30) as answer:
                if self._word not in answer.read().decode():
                    raise SystemExit(f"{self._live.url} does not answer {self._word}")
            self._at = time.monotonic()

    def seconds(self) -> float:
        """Return how long it took."""
        self.look()
        if self._at is None:
            raise SystemExit(f"the alias of {self._live.function} has not moved")
        return self._at - self._began

    def _live_version(self) -> str:
        return str(self._lambda.get_alias(FunctionName=self._live.function, Name="live")["FunctionVersion"])


def burst() -> Burst:
    """Drop 10 apps twice at once, whose dependencies were seen."""
    small = SETS[0]
    with fresh_stack({"AUTO_LAMBDA_SLOTS": str(_SLOTS)}) as stack, tempfile.TemporaryDirectory() as folder:
        tree = Path(folder, "app")
        write_app(tree, small, small.framework)
        Bench(stack).drop_tree(tree, small.name, "cold", "first")
        zips = [_changed_zip(tree, Path(folder, f"{number}.zip")) for number in range(_BURST_DROPS)]
        store, began = ObjectStore(local_client(stack.aws, "s3")), datetime.now(UTC)
        with ThreadPoolExecutor(_BURST_DROPS) as pool:
            dropped = list(pool.map(partial(_dropped, store, stack.pipeline.bucket), enumerate(zips)))
        for one in dropped:  # looked at rarely: whoever follows them takes the processors
            if store.head(one.bucket, one.key).version != one.version:
                continue
            *_, last = drops.follow(store, one, timeout=600, sleep=lambda _: time.sleep(1))
            if last.status != "live":
                raise SystemExit(f"a drop of the burst is {last.status}: {last.error}")
        return _burst(_attempts(stack, began), _ends(stack), began)


def _changed_zip(tree: Path, to: Path) -> Path:
    change(tree)
    zip_folder(tree, to)
    return to


def _dropped(store: ObjectStore, bucket: str, numbered: tuple[int, Path]) -> drops.Drop:
    number, path = numbered
    return drops.drop(store, bucket, keys.App("dev", f"burst-{number % _BURST_APPS}"), path)


def _attempts(stack: LocalStack, since: datetime) -> list[Attempt]:
    pages = local_client(stack.aws, "dynamodb").get_paginator("scan").paginate(TableName=stack.pipeline.table)
    items = (plain(item) for page in pages for item in page["Items"])
    found = [Attempt.of(item) for item in items if str(item["pk"]).startswith("history#")]
    return [one for one in found if one.started >= since]


def _ends(stack: LocalStack) -> dict[str, datetime]:
    """Return when the worker was done with the last message of each upload, by what its log calls the upload."""
    messages: dict[str, str] = {}
    ends: dict[str, datetime] = {}
    for line in stack.children[0].log.read_text().splitlines():
        event = json.loads(line)
        if event.get("event") == "started":
            messages[event["message"]] = event["upload"]
        elif event.get("part") == "daemon" and event.get("message") in messages:
            ends[messages[event["message"]]] = datetime.fromisoformat(event["timestamp"])
    return ends


def _burst(attempts: Sequence[Attempt], ends: Mapping[str, datetime], began: datetime) -> Burst:
    def end(one: Attempt) -> datetime:
        app = keys.parse(one.key)
        return ends.get(f"{app}@{str(one.object_version)[:12]}", one.ended or one.started)

    live = sorted((one.ended - began).total_seconds() for one in attempts if one.outcome == "live" and one.ended)
    return Burst(
        p95=live[max(0, round(len(live) * 0.95) - 1)],
        total=max((end(one) - began).total_seconds() for one in attempts),
        slots=sum((end(one) - one.started).total_seconds() for one in attempts),
        steps=sum(sum((one.timings or {}).values()) for one in attempts),
        attempts=len(attempts),
        live=len(live),
    )


def idle() -> dict[str, float]:
    """Return the resident memory, in MB, of an idle worker and of each of its spare builders."""
    with fresh_stack() as stack:
        time.sleep(_SETTLED)
        worker = stack.children[0].pid
        assert worker is not None
        return {"worker": memory(worker), **{f"spare {pid}": memory(pid) for pid in _builders_below(worker)}}


def _builders_below(root: int) -> list[int]:
    """Return the Python processes below a worker that are builders."""
    parents = {int(path.name): _parent(path) for path in Path("/proc").iterdir() if path.name.isdigit()}
    found, waiting = [], [root]
    while waiting:
        pid = waiting.pop()
        below = [child for child, parent in parents.items() if parent == pid]
        waiting += below
        found += [child for child in below if b"python" in (told := _arguments(child))[0] and b"builder" in told]
    return found


def _parent(path: Path) -> int:
    try:
        return int((path / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def _arguments(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return [b""]


def elsewhere(checkout: Path, dependencies: Dependencies) -> list[Ours]:
    """Run `ours` with the code of another checkout, which is set up."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "figures.json")
        command = [str(checkout / ".venv/bin/python"), __file__, "--only-ours", "--sets", dependencies.name]
        subprocess.run([*command, "--json", str(out)], cwd=checkout, check=True, stdout=subprocess.DEVNULL)
        return [Ours(**one) for one in json.loads(out.read_text())]


@dataclass(frozen=True)
class Round:
    """All figures of one set in one round."""

    installing: float
    ours: Mapping[str, Ours]
    before: Mapping[str, Ours]

    def bound(self, kind: str) -> float:
        """Return what the seconds of a kind are compared with."""
        if kind == "added":
            return self.ours["cold"].seconds
        return self.ours[kind].answering + (self.installing if kind == "cold" else 0)


def measured(dependencies: Dependencies, against: Path | None) -> Round:
    """Measure one set once, each part after the other."""
    alone = installing(dependencies).seconds
    before = elsewhere(against, dependencies) if against else []
    now = list(ours(dependencies))
    return Round(alone, {one.kind: one for one in now}, {one.kind: one for one in before})


def rows(rounds: Mapping[str, Sequence[Round]], rivals: Sequence[Figure]) -> Iterator[tuple[str, ...]]:
    """Return what `HEAD` names, of each set and kind: medians, of memory the most."""
    for name, found in rounds.items():
        for kind in DROPS:
            mine = [one.ours[kind] for one in found]
            before = [one.before[kind].seconds for one in found if one.before]
            ratios = [one.ours[kind].seconds / one.bound(kind) for one in found]
            others = [one.seconds for one in rivals if (one.dependencies, one.kind) == (name, kind)]
            yield (
                name, kind, _seconds([one.bound(kind) for one in found]), _seconds(before),
                _seconds([one.seconds for one in mine]), _seconds(ratios),
                str(GOALS.get((name, kind), "")), _seconds([min(others)] if others else []),
                f"{max(one.peak_mb for one in mine):.0f}",
            )  # fmt: skip


def _seconds(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.2f}" if values else ""


def table(found: Sequence[tuple[str, ...]], *, markdown: bool) -> Iterator[str]:
    """Print rows below their heads, as columns or as a table of Markdown."""
    if markdown:
        yield from (f"| {' | '.join(one)} |" for one in (HEAD, ("---",) * len(HEAD), *found))
        return
    widths = [max(map(len, column)) for column in zip(HEAD, *found, strict=True)]
    yield from ("  ".join(cell.rjust(width) for cell, width in zip(one, widths, strict=True)) for one in (HEAD, *found))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="the medians are shown")
    parser.add_argument("--sets", nargs="*", default=[one.name for one in SETS], help="small, large, sdists")
    parser.add_argument("--against", type=Path, metavar="CHECKOUT", help="another checkout, which is set up: 'before'")
    parser.add_argument("--only-ours", action="store_true", help="write the figures of one round to --json, no table")
    parser.add_argument("--rivals", action="store_true", help=f"measure once, too: {', '.join(RIVALS)}")
    parser.add_argument("--markdown", action="store_true", help="print the table in Markdown")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write every figure to this file")
    options = parser.parse_args()
    sets = [one for one in SETS if one.name in options.sets]
    if options.only_ours:
        options.json.write_text(json.dumps([asdict(one) for each in sets for one in ours(each)]))
        return
    against = options.against.resolve() if options.against else None
    rounds: dict[str, list[Round]] = {one.name: [] for one in sets}
    for number in range(options.rounds):
        for each in sets:
            rounds[each.name].append(measured(each, against))
            print(f"round {number + 1}, {each.name}: done", file=sys.stderr, flush=True)
    rivals = list(measure(sets, RIVALS, 1)) if options.rivals else []
    print("\n".join(table(list(rows(rounds, rivals)), markdown=options.markdown)))
    print("idle, MB: " + ", ".join(f"{name} {size:.0f}" for name, size in idle().items()))
    many = burst()
    print(
        f"burst: {_BURST_DROPS} drops of {_BURST_APPS} apps on {_SLOTS} slots, {many.live} of {many.attempts} attempts "
        f"live: p95 {many.p95:.1f} s, all after {many.total:.1f} s; attempts took {many.slots:.1f} s, their steps "
        f"{many.steps:.1f} s of that: overhead {many.overhead:.1%}"
    )
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f} at the end; medians of {options.rounds}")
    if options.json:
        figures = {name: [asdict(one) for one in found] for name, found in rounds.items()}
        others = [asdict(one) for one in rivals]
        options.json.write_text(json.dumps({"rounds": figures, "burst": asdict(many), "rivals": others}, indent=2))


if __name__ == "__main__":
    main()

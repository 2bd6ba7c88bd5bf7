"""What has become of a soak: of each version, of each app, of each worker's memory, and how fast duplicates go."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import urllib3
from soaking import STEADY, Dropped, Fleet, Sample, Soak, Traffic

from auto_lambda.attempts import Attempt
from auto_lambda.aws.dynamodb import Table
from auto_lambda.keys import App
from auto_lambda_cli.local_stack.processes import Child
from worker.records.ledger import Ledger

MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class Verdict:
    """``lost``: versions of which nobody knows what became. ``wrong``: apps that are not what was dropped last.

    ``twice``: attempts at one app that overlap. Seconds from the drop to the end of the attempt that made it live, of
    those whose event was not held back. Memory in bytes.
    """

    ended: bool
    lost: tuple[str, ...]
    wrong: tuple[str, ...]
    twice: tuple[str, ...]
    fates: dict[str, int]
    median: float
    p95: float
    cut_short: int
    dead_letters: int


@dataclass(frozen=True, slots=True)
class Memory:
    """Of one worker that is never killed, and of all lives of those that are: medians over the thirds of the run."""

    steady_first: int
    steady_last: int
    steady_peak: int
    killed_first: int
    killed_last: int
    killed_peak: int


def judge(soak: Soak, fleet: Fleet, traffic: Traffic, ended: bool) -> Verdict:
    """Look at every version and every app."""
    ledger = Ledger(Table(soak.client("dynamodb"), soak.pipeline.table))
    apps = sorted({it.app for it in traffic.dropped})
    history = {app: ledger.history(App("dev", app), 10_000) for app in apps}
    attempts = [attempt for app in apps for attempt in history[app]]
    fates = {it.object_version: str(it.outcome) for it in attempts if it.outcome in ("superseded", "failed")}
    fates |= {version: "superseded without work" for version in settled(fleet.logs) if version not in fates}
    fates |= {it.object_version: "live" for it in attempts if it.outcome == "live"}
    counted = [fates.get(it.version, "unknown") for it in traffic.dropped]
    took = sorted(seconds_to_live(traffic, attempts))
    newest = {it.app: it for it in traffic.dropped}
    letters = soak.client("sqs").get_queue_attributes(
        QueueUrl=soak.pipeline.dead_letters, AttributeNames=["ApproximateNumberOfMessages"]
    )
    return Verdict(
        ended=ended,
        lost=tuple(f"{it.app}@{it.version}" for it in traffic.dropped if it.version not in fates),
        wrong=tuple(wrong for it in newest.values() if (wrong := is_wrong(soak, ledger, it))),
        twice=tuple(overlapping(history)),
        fates={fate: counted.count(fate) for fate in sorted(set(counted))},
        median=statistics.median(took) if took else 0.0,
        p95=took[int(len(took) * 0.95)] if took else 0.0,
        cut_short=sum(it.outcome is None for it in attempts),
        dead_letters=int(letters["Attributes"]["ApproximateNumberOfMessages"]),
    )


def settled(logs: Iterable[Path]) -> set[str]:
    """Versions that a worker has found to need no work: of those it writes no history."""
    return {
        str(line["version"])
        for log in logs
        for text in log.read_text(errors="replace").splitlines()
        if '"superseded"' in text or '"answered"' in text
        if (line := json.loads(text)).get("event") in ("superseded", "answered") and "version" in line
    }


def seconds_to_live(traffic: Traffic, attempts: Iterable[Attempt]) -> list[float]:
    dropped = {it.version: it.when for it in traffic.dropped if it.version not in traffic.late}
    return [
        it.ended.timestamp() - dropped[str(it.object_version)]
        for it in attempts
        if it.outcome == "live" and it.ended and it.object_version in dropped
    ]


def overlapping(history: dict[str, list[Attempt]]) -> list[str]:
    """Of an attempt that was cut short nobody knows the end."""
    found = []
    for app, attempts in history.items():
        whole = sorted((it.started, it.ended) for it in attempts if it.ended)
        found += [f"{app}: {one} and {other}" for one, other in pairwise(whole) if other[0] < one[1]]
    return found


def is_wrong(soak: Soak, ledger: Ledger, newest: Dropped) -> str | None:
    """How an app differs from its newest zip, as ledger, receipt and the app itself tell."""
    live = ledger.record(App("dev", newest.app)).live
    if live is None or live.object_version != newest.version:
        return f"{newest.app}: live is {live and live.object_version}, newest {newest.version}"
    receipt = json.loads(
        soak.client("s3").get_object(Bucket=soak.pipeline.bucket, Key=f"apps/{newest.app}.receipt.json")["Body"].read()
    )
    if (receipt["status"], receipt["upload"]["version"]) != ("live", newest.version):
        return f"{newest.app}: its receipt says {receipt['status']} of {receipt['upload']['version']}"
    answer = urllib3.PoolManager(retries=3, timeout=60).request("GET", receipt["url"]).data.decode()
    return None if newest.word in answer else f"{newest.app}: answers {answer[:80]!r} instead of {newest.word}"


def memory_of(samples: Sequence[Sample]) -> Memory:
    """First and last third, by time; a life of a killed worker counts where it began, with its last sample."""
    end = max(sample.when for sample in samples)
    steady = [it for it in samples if it.worker == STEADY]
    others = sorted((it for it in samples if it.worker != STEADY), key=lambda it: (it.pid, it.when))
    lives = [list(life) for _, life in groupby(others, key=lambda it: it.pid)]
    ends = [replace(life[-1], when=life[0].when) for life in lives]

    def median(some: Iterable[Sample], after: float, before: float) -> int:
        return int(statistics.median([it.resident for it in some if after * end <= it.when <= before * end] or [0]))

    return Memory(
        median(steady, 0, 1 / 3), median(steady, 2 / 3, 1), max(it.peak for it in steady),
        median(ends, 0, 1 / 3), median(ends, 2 / 3, 1), max((it.peak for it in others), default=0),
    )  # fmt: skip


def duplicates_a_second(soak: Soak, events: Sequence[str], count: int) -> float:
    """One worker, nothing but events of which it knows already what became; from its own log."""
    sqs = soak.client("sqs")
    for first in range(0, count, 10):
        bodies = [events[number % len(events)] for number in range(first, min(count, first + 10))]
        entries = [{"Id": str(number), "MessageBody": body} for number, body in enumerate(bodies)]
        sqs.send_message_batch(QueueUrl=soak.pipeline.queue, Entries=entries)
    folder = Path(soak.pipeline.folder)
    work = folder / "work" / "duplicates"
    work.mkdir(parents=True)
    environ = {**soak.environ(soak.aws.endpoint), "AUTO_LAMBDA_WORK_DIR": str(work)}
    child = Child("duplicates", "worker", folder / "duplicates.log", environ)
    child.start()
    try:
        child.wait_until_ready(120)
        return _pace(child.log, count)
    finally:
        child.ask_to_stop()
        child.end(15)


def _pace(log: Path, count: int) -> float:
    """Messages a second between the first and the last that were settled."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        lines = [json.loads(line) for line in log.read_text().splitlines() if "done without work" in line]
        if sum(line["count"] for line in lines) >= count:
            first, last = (datetime.fromisoformat(line["timestamp"]) for line in (lines[0], lines[-1]))
            return float((count - lines[0]["count"]) / (last - first).total_seconds())
        time.sleep(0.5)
    raise TimeoutError(f"duplicates are not settled; the end of the log:\n{log.read_text()[-2000:]}")


def as_json(verdict: Verdict, memory: Memory) -> dict[str, Any]:
    return {**asdict(verdict), "memory": asdict(memory)}

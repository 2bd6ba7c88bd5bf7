"""Upload hundreds of zips while workers are killed, events duplicated and reordered, and calls throttled: `make soak`.

Exit code 0: the outcome of every version is known and every app is its latest upload; 1: otherwise, or the deadline has
passed.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from soak_verdict import MEGABYTE, Memory, Verdict, as_json, duplicates_a_second, judge, memory_of
from soaking import Fleet, Plan, Soak, Traffic

DUPLICATES = 5000


def run(plan: Plan, folder: Path) -> tuple[Verdict, dict[str, object], list[str]]:
    began = time.monotonic()
    with Soak(plan, folder, _say) as soak:
        fleet, traffic, ended = soak.run()
        _say(f"quiet after {time.monotonic() - began:.0f} s; checking every version and every app")
        verdict, memory = judge(soak, fleet, traffic, ended), memory_of(fleet.samples)
        pace = duplicates_a_second(soak, traffic.events, DUPLICATES) if ended else 0.0
        calls = dict(soak.proxy.calls)
    seconds = time.monotonic() - began
    lines = [*_traffic(plan, fleet, traffic, calls, seconds), *_lines(verdict, memory, pace)]
    figures = {"plan": asdict(plan), "seconds": seconds, "calls": calls, "duplicates a second": pace}
    return verdict, {**figures, **as_json(verdict, memory)}, lines


def _traffic(plan: Plan, fleet: Fleet, traffic: Traffic, calls: dict[str, int], seconds: float) -> Iterator[str]:
    yield (
        f"{len(traffic.dropped)} drops of {plan.apps} apps in {seconds:.0f} s: {traffic.doubled} events duplicated, "
        f"{len(traffic.late)} held back, {fleet.kills.total()} times a worker killed, "
        f"{calls.get('throttled', 0)} of {calls.get('all', 0)} calls throttled"
    )
    yield from traffic.failures


def _lines(verdict: Verdict, memory: Memory, pace: float) -> Iterator[str]:
    for name, cases in (("lost", verdict.lost), ("wrong", verdict.wrong), ("twice", verdict.twice)):
        yield f"{name} = {len(cases)}"
        yield from (f"  {case}" for case in cases[:20])
    yield "versions: " + ", ".join(f"{count} {fate}" for fate, count in verdict.fates.items())
    yield f"attempts cut short by a kill: {verdict.cut_short}; dead letters: {verdict.dead_letters}"
    yield f"from the drop to live: p50 {verdict.median:.1f} s, p95 {verdict.p95:.1f} s"
    yield (
        f"memory of the worker that was not killed: first third {_mb(memory.steady_first)}, "
        f"last third {_mb(memory.steady_last)}, peak {_mb(memory.steady_peak)}"
    )
    yield (
        f"memory of the others at the end of a life: first third {_mb(memory.killed_first)}, "
        f"last third {_mb(memory.killed_last)}, peak {_mb(memory.killed_peak)}"
    )
    yield f"duplicates and superseded: {pace:.0f} messages a second for one worker"
    if not verdict.ended:
        yield "the deadline has passed"


def _mb(size: int) -> str:
    return f"{size / MEGABYTE:.0f} MB"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> int:
    usual = Plan()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--drops", type=int, default=usual.drops, help="the number of zips (%(default)s)")
    parser.add_argument("--apps", type=int, default=usual.apps, help="the number of apps (%(default)s)")
    parser.add_argument("--rate", type=float, default=usual.rate, help="zips per second (%(default)s)")
    parser.add_argument("--kills", type=int, default=usual.kills, help="the number of workers to kill (%(default)s)")
    parser.add_argument("--seed", type=int, default=usual.seed, help="the seed of random choices (%(default)s)")
    parser.add_argument("--deadline", type=float, default=usual.deadline, help="seconds (%(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures to this file")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep the logs in this folder")
    options = parser.parse_args()
    plan = Plan(
        drops=options.drops, apps=options.apps, rate=options.rate, kills=options.kills, seed=options.seed,
        deadline=options.deadline,
    )  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="auto-lambda-soak-") as folder:
        verdict, figures, lines = run(plan, options.keep or Path(folder))
    print("\n".join(lines))
    load = os.getloadavg()
    print(f"{os.cpu_count()} processors, load {load[0]:.1f} at the end; Python {sys.version.split()[0]}")
    if options.json:
        options.json.write_text(json.dumps({**figures, "load": load}, indent=2))
    return 0 if verdict.ended and not (verdict.lost or verdict.wrong or verdict.twice) else 1


if __name__ == "__main__":
    sys.exit(main())

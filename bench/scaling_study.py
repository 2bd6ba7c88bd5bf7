"""Compute the figures of docs/explanation/scaling.md, as Markdown tables: wait times and cost for each setting.

    .venv/bin/python bench/scaling_study.py

Takes about five minutes on one core. Every figure is a ratio to `prompt`, the fleet that reacts at once, as the mean
of several days: p95 wait, cost.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import mean

from checker.simulator import arrivals, bounds, durations
from checker.simulator.controllers import run
from checker.simulator.model import Arrival, Fleet
from checker.simulator.policies import DIRECT, OTHERS, Policy, ours
from checker.simulator.report import row

BUILDS = "lognormal:40,120"
DAYS = {"burst": range(12), "diurnal": range(2)}


@dataclass(frozen=True)
class Ratio:
    waits: Sequence[float]
    costs: Sequence[float]

    def __str__(self) -> str:
        return f"{mean(self.waits):.2f}x / {mean(self.costs):.2f}x"

    def spread(self) -> str:
        waits, costs = self.waits, self.costs
        return (
            f"{mean(waits):.2f}x ({min(waits):.2f} to {max(waits):.2f}) | "
            f"{mean(costs):.2f}x ({min(costs):.2f} to {max(costs):.2f})"
        )


def made(load: str, builds: str = BUILDS) -> list[list[Arrival]]:
    return [arrivals.make(arrivals.SHAPES[load], durations.parse(builds), seed) for seed in DAYS[load]]


def ratio(policy: Policy, days: Sequence[Sequence[Arrival]], fleet: Fleet) -> Ratio:
    pairs = [
        (row(run(policy, day, fleet, seed), fleet), row(bounds.prompt(day, fleet), fleet))
        for seed, day in enumerate(days)
    ]
    return Ratio(
        [(mine.wait_p95 or 0) / (best.wait_p95 or 1) for mine, best in pairs], [m.cost / b.cost for m, b in pairs]
    )


def table(title: str, variants: dict[str, tuple[Policy, Fleet, str]]) -> None:
    print(f"\n{title}\n\n| setting | burst: wait / cost | diurnal: wait / cost |\n|---|---|---|")
    for name, (policy, fleet, builds) in variants.items():
        cells = [str(ratio(policy, made(load, builds), fleet)) for load in DAYS]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def aim() -> None:
    print("\nthe aim\n\n| load | days | p95 wait | cost |\n|---|---|---|---|")
    for load in DAYS:
        print(f"| {load} | {len(DAYS[load])} | {ratio(ours(), made(load), Fleet()).spread()} |", flush=True)


def policies() -> None:
    table("policies", {one.name: (one, Fleet(), BUILDS) for one in (ours(), *OTHERS)})


def settings() -> None:
    plain = Fleet()
    table("target", {f"{t} s": (ours(target=t), plain, BUILDS) for t in (30, 45, 60, 75, 90, 120)})
    table("warm-up", {f"{w} s": (ours(warmup=w), plain, BUILDS) for w in (0, 10, 20, 30, 60, 120)})
    table("idle time", {f"{i} s": (ours(idle=i), plain, BUILDS) for i in (5, 10, 15, 30, 60, 300)})
    table("period", {f"{p} s": (ours(period=p), plain, BUILDS) for p in (10, 20, 30, 60)})
    samples = {f"{s} s": (ours(sample=s), plain, BUILDS) for s in (2, 5, 10, 30)}
    at_will = {f"{s} s, at any time": (replace(ours(sample=s), ahead=None), plain, BUILDS) for s in (2, 5, 10)}
    table("sample", samples | at_will)
    step = ours().step
    assert step is not None
    points = {"six alarms": step.points, "three": (1, 2, 3), "one": (1,)}
    table("alarms", {n: (replace(ours(), step=replace(step, points=p)), plain, BUILDS) for n, p in points.items()})
    table("first step", {"0 to 1 only": (replace(ours(), step=replace(step, steps=((0.0, 1),))), plain, BUILDS)})
    table("direct", {f"direct, idle {i} s": (replace(DIRECT, idle=i), plain, BUILDS) for i in (5, 60, 600)})


def bursts(drops: int, within: float, seed: int) -> list[Arrival]:
    """Return six bursts, four hours apart."""
    rng, draw = random.Random(seed), durations.parse(BUILDS)
    begins = [number * 4 * 3600 + 60 + rng.uniform(0, 10) for number in range(6)]
    return [
        Arrival(at, draw(rng))
        for begin in begins
        for at in sorted(begin + rng.uniform(0, within) for _ in range(drops))
    ]


def other_bursts() -> None:
    step = ours().step
    assert step is not None
    alarms = {"six": (1, 2, 3, 4, 5, 6), "three": (1, 2, 3), "one": (1,)}
    print("\nother bursts\n\n| burst | six alarms | three | one |\n|---|---|---|---|")
    for drops, within in ((10, 30), (20, 30), (40, 3), (40, 60), (80, 30)):
        days = [bursts(drops, within, seed) for seed in range(4)]
        variants = [replace(ours(), step=replace(step, points=points)) for points in alarms.values()]
        cells = " | ".join(str(ratio(variant, days, Fleet())) for variant in variants)
        print(f"| {drops} drops within {within} s | {cells} |", flush=True)


def robustness() -> None:
    other_bursts()
    pairs = ((30, 30), (30, 60), (90, 60), (90, 70), (150, 80))
    boots = {
        f"boot {boot} s, target {target} s": (ours(target=target), Fleet(boot=boot), BUILDS) for boot, target in pairs
    }
    table("boot", boots)
    kinds = ("fixed:8", "fixed:50", "exponential:50", "lognormal:20,300")
    table("builds", {kind: (ours(), Fleet(), kind) for kind in kinds})
    table("slots", {f"{n} at a time": (ours(), Fleet(slots=n), BUILDS) for n in (2, 4)})


if __name__ == "__main__":
    aim()
    policies()
    settings()
    robustness()

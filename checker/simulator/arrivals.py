"""When drops fall, where they are made rather than recorded. `history` reads recorded ones."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from checker.simulator.durations import Durations
from checker.simulator.model import Arrival

HOUR = 3600.0
BURST = 40
"""Drops of one burst, within half a minute."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A made day. ``times`` yields the seconds of drops, in any order, for a number of drops and of seconds."""

    name: str
    says: str
    drops: int
    hours: float
    times: Callable[[random.Random, int, float], Iterator[float]]


def make(
    shape: Shape, durations: Durations, seed: int, drops: int | None = None, hours: float | None = None
) -> list[Arrival]:
    """Drops of a shape, in order of time; ``drops`` and ``hours`` replace the shape's own."""
    rng = random.Random(seed)  # noqa: S311 - a simulation
    times = sorted(shape.times(rng, shape.drops if drops is None else drops, (hours or shape.hours) * HOUR))
    return [Arrival(at, durations(rng)) for at in times]


def _steady(rng: random.Random, drops: int, seconds: float) -> Iterator[float]:
    return (rng.uniform(0, seconds) for _ in range(drops))


def _bursts(rng: random.Random, drops: int, seconds: float) -> Iterator[float]:
    """Bursts of 40, spread evenly, so far apart that each finds nobody."""
    bursts = math.ceil(drops / BURST)
    for number in range(drops):
        begin = (number // BURST) * seconds / bursts
        yield begin + 60 + rng.uniform(0, 30)


def _thinned(rng: random.Random, drops: int, seconds: float, density: Callable[[float], float]) -> Iterator[float]:
    """Times at which ``density`` (of the share of the day that is over, at most 1) lets a drop through."""
    while drops:
        share = rng.random()
        if rng.random() < density(share):
            drops -= 1
            yield share * seconds


def _diurnal(rng: random.Random, drops: int, seconds: float) -> Iterator[float]:
    """Little at night, most in the early afternoon: a tenth of the peak at the least."""
    return _thinned(rng, drops, seconds, lambda share: 0.55 - 0.45 * math.cos(2 * math.pi * (share - 1 / 12)))


def _release(rng: random.Random, drops: int, seconds: float) -> Iterator[float]:
    """A quiet working day but for an hour from its middle on, when half of all falls."""
    for _ in range(drops):
        if rng.random() < 0.5:
            yield seconds / 2 + min(rng.expovariate(1 / 900), HOUR)
        else:
            yield rng.uniform(0, seconds)


SHAPES = {
    shape.name: shape
    for shape in (
        Shape("steady", "a drop every so often, day and night", 2_000, 24, _steady),
        Shape("burst", "40 drops within half a minute on an empty fleet, six times a day", 240, 24, _bursts),
        Shape("diurnal", "10,000 drops a day, ten times as many in the afternoon as at night", 10_000, 24, _diurnal),
        Shape("release", "ten hours with half of all drops in the hour after noon", 2_000, 10, _release),
    )
}

"""Generated loads. `history` reads recorded ones."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from checker.simulator.durations import Durations
from checker.simulator.model import Arrival

HOUR = 3600.0
BURST = 40
"""The number of drops of one burst, within half a minute."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The shape of a load. ``times`` yields the times of drops, in any order, for a number of drops and of seconds."""

    name: str
    says: str
    drops: int
    hours: float
    times: Callable[[random.Random, int, float], Iterator[float]]


def make(
    shape: Shape, durations: Durations, seed: int, drops: int | None = None, hours: float | None = None
) -> list[Arrival]:
    """Generate the drops of a shape, ordered by time; ``drops`` and ``hours`` override the shape's own."""
    rng = random.Random(seed)  # noqa: S311 - a simulation
    times = sorted(shape.times(rng, shape.drops if drops is None else drops, (hours or shape.hours) * HOUR))
    return [Arrival(at, durations(rng)) for at in times]


def _steady(rng: random.Random, drops: int, seconds: float) -> Iterator[float]:
    return (rng.uniform(0, seconds) for _ in range(drops))


def _bursts(rng: random.Random, drops: int, seconds: float) -> Iterator[float]:
    """Yield bursts of 40, spread evenly, so far apart that each finds an empty fleet."""
    bursts = math.ceil(drops / BURST)
    for number in range(drops):
        begin = (number // BURST) * seconds / bursts
        yield begin + 60 + rng.uniform(0, 30)


def _thinned(rng: random.Random, drops: int, seconds: float, density: Callable[[float], float]) -> Iterator[float]:
    """Yield random times with this ``density``, a function (at most 1) of the elapsed share of the day."""
    while drops:
        share = rng.random()
        if rng.random() < density(share):
            drops -= 1
            yield share * seconds


def _diurnal(rng: random.Random, drops: int, seconds: float) -> Iterator[float]:
    """Return the density of a day with its peak in the early afternoon and a tenth of it at night."""
    return _thinned(rng, drops, seconds, lambda share: 0.55 - 0.45 * math.cos(2 * math.pi * (share - 1 / 12)))


def _release(rng: random.Random, drops: int, seconds: float) -> Iterator[float]:
    """Return the density of a quiet working day with half of all drops in the hour after its middle."""
    for _ in range(drops):
        if rng.random() < 0.5:
            yield seconds / 2 + min(rng.expovariate(1 / 900), HOUR)
        else:
            yield rng.uniform(0, seconds)


SHAPES = {
    shape.name: shape
    for shape in (
        Shape("steady", "drops at random times, day and night", 2_000, 24, _steady),
        Shape("burst", "40 drops within half a minute on an empty fleet, six times a day", 240, 24, _bursts),
        Shape("diurnal", "10,000 drops a day, ten times as many in the afternoon as at night", 10_000, 24, _diurnal),
        Shape("release", "ten hours with half of all drops in the hour after noon", 2_000, 10, _release),
    )
}

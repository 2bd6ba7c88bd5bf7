"""Distributions of build times."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence

Durations = Callable[[random.Random], float]
"""Draws the duration of one build, in seconds."""

_Z95 = 1.6448536269514722


class BadDistribution(ValueError):
    """The text describes no distribution; the message lists the valid forms."""


def parse(text: str) -> Durations:
    """Parse a distribution: ``fixed:SECONDS``, ``lognormal:MEDIAN,P95`` or ``exponential:MEAN``.

    Raises:
        BadDistribution: for anything else.
    """
    kind, _, rest = text.partition(":")
    try:
        numbers = [float(part) for part in rest.split(",")]
    except ValueError:
        numbers = []
    if all(math.isfinite(number) and number > 0 for number in numbers):
        match kind, numbers:
            case "fixed", [seconds]:
                return lambda _: seconds
            case "exponential", [mean]:
                return lambda rng: rng.expovariate(1 / mean)
            case "lognormal", [median, p95] if p95 >= median:
                return lambda rng: rng.lognormvariate(math.log(median), math.log(p95 / median) / _Z95)
    raise BadDistribution(
        f"{text!r} is no distribution of build times; use fixed:45, exponential:45, "
        "lognormal:40,120 (median and 95th percentile), all in seconds"
    )


def drawn_from(seconds: Sequence[float]) -> Durations:
    """Return a distribution that draws from measured build times, with replacement."""
    return lambda rng: rng.choice(seconds)

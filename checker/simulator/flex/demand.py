"""Demand over time, in requests per second for each minute: made, or recorded in a CSV file."""

from __future__ import annotations

import csv
import math
import random
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

DAY = 24 * 60


class BadDemand(Exception):
    """A file is not a recording of demand; the message says why."""


def _noisy(rng: random.Random, value: float) -> float:
    return max(0.0, value * rng.gauss(1.0, 0.08))


def _office(minute: int, peak: float) -> float:
    """Return weekdays with their peak in the early afternoon, and a tenth of it at night and on weekends."""
    if minute // DAY % 7 >= 5:
        return peak * 0.1
    return peak * (0.55 - 0.45 * math.cos(2 * math.pi * (minute % DAY / DAY - 1 / 12)))


def _launch(minute: int, peak: float) -> float:
    """Return hardly any demand, and two days of very much after three of them."""
    day = minute / DAY % 7
    return peak * (0.02 if day < 3 else math.exp(-(day - 3)))


def _spikes(minute: int, peak: float) -> float:
    """Return five minutes of high demand in every hour."""
    return peak * (1.0 if minute % 60 < 5 else 0.05)


SHAPES: Mapping[str, tuple[str, Callable[[int, float], float]]] = {
    "office": ("weekdays with a peak in the early afternoon, a tenth of it at night and on weekends", _office),
    "launch": ("hardly any demand for three days, then a peak that fades over days", _launch),
    "spikes": ("five minutes of high demand in every hour", _spikes),
    "steady": ("the same at all times", lambda _, peak: peak),
}


def made(name: str, peak: float, days: float, seed: int) -> list[float]:
    """Make a demand of a shape, with noise; the same arguments give the same demand."""
    rng, (_, shape) = random.Random(seed), SHAPES[name]  # noqa: S311 - a simulation
    return [_noisy(rng, shape(minute, peak)) for minute in range(round(days * DAY))]


def recorded(path: Path) -> list[float]:
    """Read a CSV file with the columns ``time`` and ``requests``: the requests since the row before.

    Rows may be minutes or longer apart, as CloudWatch's are, and are spread evenly; a gap of more than an hour is none.

    Raises:
        BadDemand: what is wrong, with the line.
    """
    try:
        rows = list(csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines()))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadDemand(f"{path} cannot be read: {error}") from None
    points = [_point(path, line, row) for line, row in enumerate(rows, start=2)]
    if len(points) < 2:
        raise BadDemand(f"{path} has fewer than two rows with «time» and «requests»")
    return _per_minute(path, points)


def _point(path: Path, line: int, row: Mapping[str, str | None]) -> tuple[float, float]:
    try:
        at, requests = _moment(row["time"] or ""), float(row["requests"] or "")
    except KeyError as error:
        raise BadDemand(f"{path} has no column «{error.args[0]}»; it starts with: time,requests") from None
    except ValueError as error:
        raise BadDemand(f"{path}, line {line}: {error}") from None
    if not (math.isfinite(at) and math.isfinite(requests)) or requests < 0:
        raise BadDemand(f"{path}, line {line}: {requests} is no number of requests")
    return at, requests


def _moment(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _per_minute(path: Path, points: Sequence[tuple[float, float]]) -> list[float]:
    """Spread each row's requests over the time since the row before it."""
    first, last = points[0][0], points[-1][0]
    if last - first > 400 * DAY * 60:
        raise BadDemand(f"{path} covers more than 400 days")
    minutes = [0.0] * max(1, math.ceil((last - first) / 60))
    for (before, _), (at, requests) in pairwise(points):
        if at <= before:
            raise BadDemand(f"{path}: the times have to rise, and {at:g} follows {before:g}")
        if at - before > 3600:
            continue
        begin, end = int((before - first) // 60), max(int((before - first) // 60) + 1, math.ceil((at - first) / 60))
        for minute in range(begin, min(end, len(minutes))):
            minutes[minute] += requests / (end - begin) / 60
    return minutes

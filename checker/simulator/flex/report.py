"""Figures of a run, and the thresholds that cost least."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise

from checker.simulator.flex.model import Controller, FlexApp, FlexOutcome, Minute, Thresholds
from checker.simulator.flex.prices import PRICES
from checker.simulator.flex.run import flex

HYSTERESIS = (0.3, 0.6)
"""Shares of ``above`` that are tried as ``below``; more would flap, and is refused."""


@dataclass(frozen=True, slots=True)
class FlexRow:
    """The figures of a strategy: dollars a month, seconds, requests, minutes on Fargate, moves."""

    strategy: str
    month: float
    p50: float
    p99: float
    failed: float
    on_fargate: float
    moves: int
    most_tasks: int

    def as_dict(self) -> dict[str, object]:
        """Return the figures for JSON."""
        return asdict(self)


def flex_row(outcome: FlexOutcome) -> FlexRow:
    """Summarize a run."""
    minutes = outcome.minutes
    spread = sorted(pair for minute in minutes for pair in minute.latencies if pair[1] > 0)
    hours = len(minutes) / 60
    cost = sum(minute.cost for minute in minutes)
    return FlexRow(
        strategy=outcome.strategy,
        month=cost / hours * PRICES["hours_per_month"] if hours else 0.0,
        p50=_quantile(spread, 0.5),
        p99=_quantile(spread, 0.99),
        failed=sum(minute.failed for minute in minutes),
        on_fargate=sum(minute.share for minute in minutes) / len(minutes) if minutes else 0.0,
        moves=sum(1 for before, after in pairwise(minutes) if _moved(before, after)),
        most_tasks=max((minute.tasks for minute in minutes), default=0),
    )


def _moved(before: Minute, after: Minute) -> bool:
    return (before.phase == "lambda") != (after.phase == "lambda")


def _quantile(spread: Sequence[tuple[float, float]], share: float) -> float:
    rest = share * sum(count for _, count in spread)
    for seconds, count in spread:
        rest -= count
        if rest <= 0:
            return seconds
    return spread[-1][0] if spread else 0.0


@dataclass(frozen=True, slots=True)
class Tried:
    """Thresholds and what came of them."""

    thresholds: Thresholds
    row: FlexRow


def search(
    demand: Sequence[float], app: FlexApp, thresholds: Thresholds, controller: Controller, above: Iterable[float]
) -> list[Tried]:
    """Try thresholds, and return them by their cost, the cheapest first; those that lose requests come last."""
    tried = [Tried(one, flex_row(flex(demand, app, one, controller))) for one in _variants(app, thresholds, above)]
    return sorted(tried, key=lambda one: (one.row.failed > 0, one.row.month))


def _variants(app: FlexApp, thresholds: Thresholds, above: Iterable[float]) -> Iterator[Thresholds]:
    for high in above:
        enough = max(thresholds.min_tasks, -int(-high // app.per_task) + 1)  # what moves at once has to fit
        for share in HYSTERESIS:
            yield replace(thresholds, above=high, below=high * share, min_tasks=min(enough, thresholds.max_tasks))

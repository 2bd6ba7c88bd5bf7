"""Demand, where it was answered, tasks and cost over time, as a picture. Needs matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

from checker.simulator.flex.model import FlexOutcome

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FLEX_FORMATS = (".png", ".svg")
_COLOURS = {"lambda": "C1", "fargate": "C0", "flex": "C2"}


def plot_flex(outcomes: Sequence[FlexOutcome], title: str, path: Path) -> None:
    """Plot to ``path``, a .png or .svg file, which is overwritten."""
    figure = _draw(outcomes, title)
    # Without a date, the same run gives the same file.
    figure.savefig(path, dpi=110, metadata={"Date": None} if path.suffix == ".svg" else None)


def _draw(outcomes: Sequence[FlexOutcome], title: str) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 7), layout="constrained")
    demand, latency, cost = figure.subplots(3, 1, sharex=True)
    flexed = next((one for one in outcomes if one.strategy == "flex"), outcomes[0])
    hours = [number / 60 for number in range(len(flexed.minutes))]
    demand.plot(hours, [one.demand for one in flexed.minutes], color="0.4", linewidth=0.8)
    answered = [one.demand * one.share for one in flexed.minutes]
    demand.fill_between(hours, answered, color=_COLOURS["fargate"], alpha=0.35, label="answered by Fargate (flex)")
    demand.legend(loc="upper right", fontsize="small")
    for outcome in outcomes:
        colour = _COLOURS[outcome.strategy]
        slowest = [max((at for at, count in one.latencies if count > 0), default=0.0) for one in outcome.minutes]
        latency.plot(hours, slowest, linewidth=0.6, color=colour, label=outcome.strategy)
        cost.plot(hours, list(accumulate(one.cost for one in outcome.minutes)), color=colour, label=outcome.strategy)
    figure.suptitle(title)
    demand.set_ylabel("requests per second")
    latency.set_ylabel("slowest requests, s")
    latency.set_yscale("log")
    cost.set_ylabel("cost so far, $")
    cost.set_xlabel("hours")
    cost.legend(loc="upper left", fontsize="small")
    for axes in (demand, latency, cost):
        axes.grid(alpha=0.3)
    return figure

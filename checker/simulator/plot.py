"""Queue, workers and waits over time, as a picture. Needs matplotlib."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from checker.simulator.compare import known
from checker.simulator.model import SimulationOutcome
from checker.simulator.policies import ours
from checker.simulator.report import queue_over_time, workers_over_time

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = (".png", ".svg", ".html")
_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{title}</title>
<body style="font-family: sans-serif; margin: 2em"><h1>{title}</h1><img alt="queue, workers and waits over time"
src="data:image/png;base64,{picture}"></body></html>
"""
_COLOURS = {name: f"C{number}" for number, name in enumerate(known(ours()))}
_SHORT = 2.0
"""A window of fewer hours is labelled in minutes."""


def plot(
    outcomes: Sequence[SimulationOutcome], title: str, path: Path, window: tuple[float, float] | None = None
) -> None:
    """Plot to ``path``, in the format of its suffix (one of `FORMATS`).

    Args:
        outcomes: the outcomes to plot; each policy always has the same colour.
        title: the title of the picture.
        path: the file, which is overwritten.
        window: the hours to show; None: all.
    """
    figure = draw(outcomes, title, window)
    if path.suffix == ".html":
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=110)
        picture = base64.b64encode(buffer.getvalue()).decode()
        path.write_text(_PAGE.format(title=title, picture=picture), encoding="utf-8")
    else:
        # Without a date, the same run gives the same file.
        figure.savefig(path, dpi=110, metadata={"Date": None} if path.suffix == ".svg" else None)


def draw(outcomes: Sequence[SimulationOutcome], title: str, window: tuple[float, float] | None = None) -> Figure:
    """Plot three panels over one time axis."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 7), layout="constrained")
    queue, workers, waits = figure.subplots(3, 1, sharex=True)
    unit, seconds = ("minutes", 60) if window and window[1] - window[0] < _SHORT else ("hours", 3600)
    for outcome in outcomes:
        _steps(queue, queue_over_time(outcome), outcome.policy, seconds)
        _steps(workers, workers_over_time(outcome), outcome.policy, seconds)
        _waits(waits, outcome, seconds)
    figure.suptitle(title)
    queue.set_ylabel("drops waiting")
    workers.set_ylabel("machines")
    waits.set_ylabel("wait of each drop, s")
    waits.set_xlabel(unit)
    waits.set_yscale("symlog", linthresh=60)
    if window:
        waits.set_xlim(*(at * 3600 / seconds for at in window))
    workers.legend(loc="upper right", fontsize="small")
    return figure


def _steps(axes: Axes, steps: Sequence[tuple[float, int]], policy: str, seconds: int) -> None:
    times = [at / seconds for at, _ in steps]
    counts = [count for _, count in steps]
    axes.step(times, counts, where="post", label=policy, linewidth=1, color=_COLOURS.get(policy))
    axes.grid(alpha=0.3)


def _waits(axes: Axes, outcome: SimulationOutcome, seconds: int) -> None:
    pairs = [(job.drop.at / seconds, job.wait) for job in outcome.jobs if job.wait is not None]
    colour = _COLOURS.get(outcome.policy)
    axes.plot([at for at, _ in pairs], [wait for _, wait in pairs], ".", markersize=2, rasterized=True, color=colour)
    axes.grid(alpha=0.3)

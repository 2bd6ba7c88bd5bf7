"""Draws the dashboard of infra/observability.yaml with the metrics of a run: a picture for docs/pictures.

`make pictures` draws docs/pictures/dashboard.png from docs/pictures/dashboard.json, which bench/record_dashboard.py
records.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure
from pipeline_template import REPOSITORY, read_template

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PICTURES = REPOSITORY / "docs" / "pictures"
NAMESPACE, QUEUE, PIPELINE = "AutoLambda", "drops", "auto-lambda"
_COLUMNS = 24
_UNIT = 0.62, 0.42  # inches of a column, of a row
_STATISTICS: Mapping[str, Callable[[Sequence[float]], float]] = {
    "Sum": sum, "Maximum": max, "Average": lambda values: sum(values) / len(values),
}  # fmt: skip
_SEARCH = re.compile(r"SEARCH\('\{([\w/]+),([\w,]+)\} MetricName=\"(\w+)\".*', '\w+', (\d+)\)")
_MOST_ROWS = 8
_LONGEST_PERIOD = 30  # seconds: a run takes minutes, and the dashboard is meant for hours
_NO_DATA = "nothing of this in a local run"

Series = Mapping[str, Sequence[tuple[float, float]]]
"""Points, each with its second since the beginning, by ``namespace name dimension=value ...``."""


@dataclass(frozen=True, slots=True)
class Run:
    """What was recorded. ``rows`` are the log lines that the table of failures shows."""

    series: Series
    rows: Sequence[Mapping[str, Any]]

    @classmethod
    def read(cls, path: Path) -> Run:
        found = json.loads(path.read_text("utf-8"))
        return cls({name: [tuple(one) for one in points] for name, points in found["series"].items()}, found["rows"])


def series_name(namespace: str, name: str, dimensions: Mapping[str, str]) -> str:
    return " ".join([namespace, name, *(f"{key}={value}" for key, value in sorted(dimensions.items()))])


def body() -> dict[str, Any]:
    """The dashboard as CloudWatch gets it, with names in place of what the stack makes."""
    text, given = read_template()["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    values = {**dict.fromkeys(given, ""), "NS": NAMESPACE, "Q": QUEUE, "AWS::Region": "eu-west-1"}
    values |= dict.fromkeys(("Pipeline", "AWS::StackName"), PIPELINE)
    found: dict[str, Any] = json.loads(re.sub(r"\$\{([^}]+)\}", lambda it: values.get(it[1]) or it[1], text))
    for one in found["variables"]:
        found = json.loads(json.dumps(found).replace(one["pattern"], one["defaultValue"]))
    return found


def digest(run: Run) -> str:
    """Of what a picture is drawn from."""
    return hashlib.sha256(json.dumps([body(), run.series, run.rows], sort_keys=True).encode()).hexdigest()


def draw(run: Run) -> Figure:
    """Every widget in its place."""
    widgets = body()["widgets"]
    rows = max(one["y"] + one["height"] for one in widgets)
    width, height = _UNIT[0] * _COLUMNS, _UNIT[1] * rows
    figure = Figure(figsize=(width, height))
    for one in widgets:
        place = (one["x"] / _COLUMNS + 0.03, 1 - (one["y"] + one["height"]) / rows + 0.018,
                 one["width"] / _COLUMNS - 0.045, max(one["height"] / rows - 0.045, 0.005))  # fmt: skip
        axes = figure.add_axes(place)
        {"text": _text, "metric": _metrics, "log": _log, "alarm": _alarms}[one["type"]](axes, one["properties"], run)
    return figure


def save(figure: Figure, path: Path, run: Run) -> None:
    figure.savefig(path, dpi=80, metadata={"Description": digest(run)})


def _text(axes: Axes, properties: Mapping[str, Any], _: Run) -> None:
    axes.set_axis_off()
    plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", properties["markdown"]).replace("*", "").replace("#", "").strip()
    axes.text(0, 1, plain, va="top", fontsize=9, wrap=True)


def _log(axes: Axes, properties: Mapping[str, Any], run: Run) -> None:
    axes.set_title(properties["title"], loc="left", fontsize=9)
    axes.set_axis_off()
    query, names = properties["query"], ("upload", "outcome", "code", "step")
    app = re.search(r"upload like '([^']+)'", query)
    rows = run.rows if "event = 'finished'" in query else []
    shown = [one for one in rows if (app is None or app[1] in one["upload"]) and (app or one["outcome"] != "live")]
    table = [dict(zip(names, names, strict=True)), *shown[:_MOST_ROWS]]
    lines = ["  ".join(f"{one[name]:<22.22}" for name in names) for one in table]
    axes.text(0, 0.95, "\n".join(lines) if shown else _NO_DATA, va="top", fontsize=7, family="monospace")


def _alarms(axes: Axes, properties: Mapping[str, Any], _: Run) -> None:
    axes.set_title(properties["title"], loc="left", fontsize=9)
    axes.set_axis_off()
    names = [name.removesuffix(".Arn") for name in properties["alarms"]]
    axes.text(0, 0.95, "\n".join(names), va="top", fontsize=7, family="monospace")


def _metrics(axes: Axes, properties: Mapping[str, Any], run: Run) -> None:
    axes.set_title(properties["title"], loc="left", fontsize=9)
    axes.tick_params(labelsize=6)
    axes.grid(alpha=0.3)
    axes.set_axisbelow(True)
    below: dict[float, float] = {}
    lines = list(_lines(properties, run))
    for label, points, statistic, wanted in lines:
        period = min(wanted, _LONGEST_PERIOD)
        at, values = _by_period(points, statistic, period)
        if properties.get("stacked"):
            axes.bar(at, values, width=period / 75, bottom=[below.get(one, 0) for one in at], label=label)
            below |= {one: below.get(one, 0) + value for one, value in zip(at, values, strict=True)}
        else:
            axes.plot(at, values, label=label, linewidth=1, marker=".", markersize=3)
    if lines:
        axes.set_ylim(bottom=0)
        axes.set_xlabel("minutes", fontsize=6)
        axes.legend(fontsize=6, loc="upper right")
    else:
        axes.set_axis_off()
        axes.text(0.5, 0.5, _NO_DATA, ha="center", fontsize=7, transform=axes.transAxes)


def _lines(properties: Mapping[str, Any], run: Run) -> Iterator[tuple[str, Sequence[tuple[float, float]], str, float]]:
    """The lines of a graph: label, points, statistic, seconds of a period."""
    before: list[str] = []
    for row in properties["metrics"]:
        options = row[-1] if isinstance(row[-1], dict) else {}
        statistic = options.get("stat", properties.get("stat", "Average"))
        period = options.get("period", properties["period"])
        if "expression" in options:
            yield from _found(options["expression"], run, period)
            continue
        texts = [text for text in row if isinstance(text, str)]
        texts = before if texts == ["..."] else [before[at] if it == "." else it for at, it in enumerate(texts)]
        before = texts
        name = series_name(texts[0], texts[1], dict(zip(texts[2::2], texts[3::2], strict=True)))
        if name in run.series and options.get("visible", True):
            yield (
                f"{texts[1]} {statistic}" if statistic.startswith("p") else texts[1],
                run.series[name],
                statistic,
                period,
            )


def _found(expression: str, run: Run, period: float) -> Iterator[tuple[str, Sequence[tuple[float, float]], str, float]]:
    search = _SEARCH.fullmatch(expression)
    for name, points in sorted(run.series.items()) if search else ():
        namespace, metric, *dimensions = name.split(" ")
        keys = [one.partition("=")[0] for one in dimensions]
        if search and (namespace, metric, keys) == (search[1], search[3], sorted(search[2].split(","))):
            yield " ".join(one.partition("=")[2] for one in dimensions), points, "Sum", period


def _by_period(points: Sequence[tuple[float, float]], statistic: str, period: float) -> tuple[list[float], list[float]]:
    """Minutes and values."""
    windows: dict[int, list[float]] = {}
    for at, value in points:
        windows.setdefault(int(at // period), []).append(value)
    return (
        [window * period / 60 for window in sorted(windows)],
        [_value(windows[window], statistic) for window in sorted(windows)],
    )


def _value(values: Sequence[float], statistic: str) -> float:
    if statistic.startswith("p"):
        ordered = sorted(values)
        return ordered[min(len(ordered) - 1, int(len(ordered) * float(statistic[1:]) / 100))]
    return float(_STATISTICS[statistic](values))


if __name__ == "__main__":
    recorded = Run.read(PICTURES / "dashboard.json")
    save(draw(recorded), Path(sys.argv[1]) if len(sys.argv) > 1 else PICTURES / "dashboard.png", recorded)

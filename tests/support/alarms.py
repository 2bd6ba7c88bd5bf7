"""CloudWatch's alarms and metric filters, as far as the template uses them: definitions in, states out.

Alarms: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html, with the treatment of
missing data; every period is looked at once, when it is over, and no more datapoints than the alarm has periods.
Filters: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html, JSON patterns of terms
that are joined by «and».
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

Names = frozenset[tuple[str, str]]
_STATISTICS: dict[str, Callable[[Sequence[float]], float]] = {
    "Maximum": max, "Minimum": min, "Sum": sum, "SampleCount": len, "Average": lambda values: sum(values) / len(values),
}  # fmt: skip
_COMPARISONS = {
    "GreaterThanThreshold": operator.gt,
    "GreaterThanOrEqualToThreshold": operator.ge,
    "LessThanThreshold": operator.lt,
}
_TERM = re.compile(r'\$\.(\w+) (=|>=) (?:"([^"]*)"|([\d.]+))')


@dataclass(frozen=True, slots=True)
class Point:
    """One value of one metric; ``at`` in seconds."""

    namespace: str
    name: str
    dimensions: Names
    at: float
    value: float


@dataclass
class Recorder:
    """CloudWatch's client, as far as metrics are put."""

    points: list[Point] = field(default_factory=list)

    def put_metric_data(self, *, Namespace: str, MetricData: Sequence[Mapping[str, Any]]) -> None:  # noqa: N803
        for datum in MetricData:
            names = frozenset((it["Name"], it["Value"]) for it in datum["Dimensions"])
            at: datetime = datum["Timestamp"]
            self.points.append(Point(Namespace, datum["MetricName"], names, at.timestamp(), datum["Value"]))


def counted(lines: Iterable[tuple[float, str]], filters: Iterable[Mapping[str, Any]]) -> Iterator[Point]:
    """What metric filters make of log lines, each with its second; a line that does not match counts by default."""
    filters = list(filters)
    for at, line in lines:
        entry = json.loads(line)
        for it in filters:
            for change in it["MetricTransformations"]:
                if matches(it["FilterPattern"], entry):
                    value, names = change["MetricValue"], change.get("Dimensions", [])
                    number = float(entry[value[2:]] if value.startswith("$.") else value)
                    said = [(name["Key"], entry.get(name["Value"][2:])) for name in names]
                    if all(isinstance(text, str) for _, text in said):  # else nothing is published under it
                        yield Point(change["MetricNamespace"], change["MetricName"], frozenset(said), at, number)
                elif "DefaultValue" in change:
                    default = float(change["DefaultValue"])
                    yield Point(change["MetricNamespace"], change["MetricName"], frozenset(), at, default)


def matches(pattern: str, entry: Mapping[str, Any]) -> bool:
    """Whether a log line is meant by a pattern."""
    inside = pattern.strip().removeprefix("{").removesuffix("}")
    return all(_holds(term.strip(), entry) for term in inside.split("&&"))


def _holds(term: str, entry: Mapping[str, Any]) -> bool:
    found = _TERM.fullmatch(term)
    assert found, f"not a term that we know: {term}"
    name, comparison, text, number = found.groups()
    value = entry.get(name)
    if number is not None:
        return isinstance(value, int | float) and comparison == ">=" and value >= float(number)
    return isinstance(value, str) and text in ("*", value)


def states(alarm: Mapping[str, Any], points: Iterable[Point], start: float, end: float) -> list[tuple[float, str]]:
    """The state after each whole period from ``start`` to ``end``, beginning with OK before the first."""
    period, count = float(alarm["Period"]), int(alarm["EvaluationPeriods"])
    names = frozenset((it["Name"], it["Value"]) for it in alarm.get("Dimensions", ()))
    mine = [
        it
        for it in points
        if (it.namespace, it.name, it.dimensions) == (alarm["Namespace"], alarm["MetricName"], names)
    ]
    state, seen = "OK", []
    now = start + period * count
    while now <= end:
        windows = [
            [it.value for it in mine if now - period * (n + 1) <= it.at < now - period * n] for n in range(count)
        ]
        state = _state(alarm, windows, state)
        seen.append((now, state))
        now += period
    return seen


def _state(alarm: Mapping[str, Any], windows: Sequence[Sequence[float]], before: str) -> str:
    statistic, compare = _STATISTICS[alarm["Statistic"]], _COMPARISONS[alarm["ComparisonOperator"]]
    treatment, threshold = alarm["TreatMissingData"], float(alarm["Threshold"])
    if treatment == "ignore" and not any(windows):
        return before
    breaching = [
        compare(statistic(values), threshold) if values else treatment == "breaching"
        for values in windows
        if values or treatment != "ignore"
    ]
    needed = int(alarm.get("DatapointsToAlarm", alarm["EvaluationPeriods"]))
    return "ALARM" if sum(breaching) >= needed else "OK"

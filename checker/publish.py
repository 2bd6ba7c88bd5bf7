"""Publishing a sample."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Protocol, TextIO

from checker.sample import Sample

Publish = Callable[[Sample], None]


class MetricSink(Protocol):
    """Publishes metrics."""

    def publish(self, counts: Mapping[str, float], dimensions: Mapping[str, str], at: datetime) -> None:
        """Publish all metrics in one call."""


def dimensions(queue_url: str) -> dict[str, str]:
    """Return the dimensions of all our metrics: ``QueueName``."""
    return {"QueueName": queue_url.rpartition("/")[2]}


def to_metrics(metrics: MetricSink, queue_url: str) -> Publish:
    """Publish to CloudWatch, one call per sample."""

    def publish(sample: Sample) -> None:
        metrics.publish(sample.metrics(), dimensions(queue_url), sample.at)

    return publish


def to_errors(metrics: MetricSink, queue_url: str, now: Callable[[], datetime]) -> Callable[[int], None]:
    """Publish the number of failed ticks, as ``CheckerErrors``."""

    def publish(failures: int) -> None:
        metrics.publish({"CheckerErrors": failures}, dimensions(queue_url), now())

    return publish


def to_text(stream: TextIO, *, as_json: bool) -> Publish:
    """Write one line per sample, as JSON or for people."""

    def publish(sample: Sample) -> None:
        counts = {name: _short(value) for name, value in sample.metrics().items()}
        moment = sample.at.isoformat(timespec="milliseconds")
        words = (f"{name} {count}" for name, count in counts.items())
        line = json.dumps({"at": moment, **counts}) if as_json else f"{moment}  {', '.join(words)}"
        print(line, file=stream, flush=True)

    return publish


def _short(value: float) -> float | int:
    return int(value) if value.is_integer() else round(value, 3)

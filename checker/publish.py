"""Where a sample goes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Protocol, TextIO

from checker.sample import Sample

Publish = Callable[[Sample], None]


class Metrics(Protocol):
    """Takes metrics."""

    def publish(self, counts: Mapping[str, float], dimensions: Mapping[str, str], at: datetime) -> None:
        """All in one call."""


def to_metrics(metrics: Metrics, queue_url: str) -> Publish:
    """Publish to CloudWatch, one call a sample, under the dimension ``QueueName``."""
    dimensions = {"QueueName": queue_url.rpartition("/")[2]}

    def publish(sample: Sample) -> None:
        metrics.publish(sample.metrics(), dimensions, sample.at)

    return publish


def to_text(stream: TextIO, *, as_json: bool) -> Publish:
    """Write one line a sample, JSON or for people."""

    def publish(sample: Sample) -> None:
        counts = {name: int(value) for name, value in sample.metrics().items()}
        moment = sample.at.isoformat(timespec="milliseconds")
        words = (f"{name} {count}" for name, count in counts.items())
        line = json.dumps({"at": moment, **counts}) if as_json else f"{moment}  {', '.join(words)}"
        print(line, file=stream, flush=True)

    return publish

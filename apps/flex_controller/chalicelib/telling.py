"""What the outside is told: log lines with one id per run, and metrics. None of it stops a transition."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any


class Telling:
    """Tells of one run.

    Args:
        run: its id, in each line.
        namespace: of the metrics.
        cloudwatch: a boto3 client.
        write: takes a line; standard output by default.
    """

    def __init__(self, run: str, namespace: str, cloudwatch: Any, write: Callable[[str], object] | None = None) -> None:
        self._run = run
        self._namespace = namespace
        self._cloudwatch = cloudwatch
        self._write = write or sys.stdout.write
        self._counts: dict[str, int] = {"Transitions": 0}

    def log(self, event: str, **fields: object) -> None:
        """Write a line."""
        self._write(json.dumps({"run": self._run, "event": event, **fields}, default=str) + "\n")

    def count(self, name: str, number: int = 1) -> None:
        """Count something for the metrics."""
        self._counts[name] = self._counts.get(name, 0) + number

    def publish(self) -> None:
        """Publish the metrics."""
        data = [{"MetricName": name, "Value": number, "Unit": "Count"} for name, number in self._counts.items()]
        try:
            self._cloudwatch.put_metric_data(Namespace=self._namespace, MetricData=data)
        except Exception as error:  # noqa: BLE001 - a metric is not worth a transition
            self.log("metrics-lost", why=str(error))

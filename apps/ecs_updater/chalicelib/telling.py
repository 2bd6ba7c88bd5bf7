"""What the outside is told: log lines with one id per convergence, metrics, events. None of it stops a convergence."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

SOURCE = "ecs-updater"
_MOST_DATA = 1000  # of a call


class Telling:
    """Tells of one convergence.

    Args:
        run: its id, in each line.
        namespace: of the metrics.
        cloudwatch: a boto3 client.
        events: a boto3 client of EventBridge.
        write: takes a line; standard output by default.
    """

    def __init__(
        self, run: str, namespace: str, cloudwatch: Any, events: Any, write: Callable[[str], object] | None = None
    ) -> None:
        self._run = run
        self._namespace = namespace
        self._cloudwatch = cloudwatch
        self._events = events
        self._write = write or sys.stdout.write
        self._data: list[dict[str, Any]] = []

    def log(self, event: str, **fields: object) -> None:
        """Write a line."""
        self._write(json.dumps({"run": self._run, "event": event, **fields}, default=str) + "\n")

    def updated(self, service: str, before: str, after: str) -> None:
        """Tell that a service was moved to a revision."""
        self.log("updated", service=service, before=before, after=after)
        self._count("Updates")

    def running(self, service: str, revision: str, lag: float) -> None:
        """Tell that all tasks run a revision, and how long after the push."""
        self.log("running", service=service, revision=revision, lag=lag)
        self._count("LagSeconds", lag, "Seconds")

    def failed(self, service: str, revision: str, why: str) -> None:
        """Tell that a revision was tried in vain. An event goes out too."""
        self.log("failed", service=service, revision=revision, why=why)
        self._count("Failures")
        self._send("Update Failed", {"service": service, "revision": revision, "why": why})

    def scaled(self, service: str, before: int, after: int, why: str) -> None:
        """Tell that a desired count was changed."""
        self.log("scaled", service=service, before=before, after=after, why=why)
        self._count("Scalings")

    def refused(self, service: str, why: str) -> None:
        """Tell that AWS refused something."""
        self.log("refused", service=service, why=why)
        self._count("Refusals")

    def converged(self, rows: Sequence[Mapping[str, Any]], problems: Sequence[str]) -> None:
        """Tell how everything is at the end, and publish the metrics."""
        for problem in problems:
            self.log("problem", why=problem)
        for row in rows:
            if row["why"] or row["scaling"]:
                self.log("service", **row)
        self.log("converged", services=len(rows), behind=sum(row["behind"] for row in rows))
        self._count("Behind", sum(row["behind"] for row in rows) + len(problems))
        self._publish()

    def _count(self, name: str, value: float = 1, unit: str = "Count") -> None:
        self._data.append({"MetricName": name, "Value": value, "Unit": unit})

    def _publish(self) -> None:
        try:
            self._cloudwatch.put_metric_data(Namespace=self._namespace, MetricData=self._data[:_MOST_DATA])
        except Exception as error:  # noqa: BLE001 - a metric is not worth an update
            self.log("metrics-lost", why=str(error))

    def _send(self, kind: str, detail: Mapping[str, Any]) -> None:
        entry = {"Source": SOURCE, "DetailType": kind, "Detail": json.dumps({**detail, "run": self._run})}
        try:
            self._events.put_events(Entries=[entry])
        except Exception as error:  # noqa: BLE001 - the log and the status say it too
            self.log("event-lost", why=str(error))

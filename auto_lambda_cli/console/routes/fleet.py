"""The fleet: the queue, the workers, what they build, and the backlog over time. Only reads."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import Any

from auto_lambda.aws.autoscaling import AutoScalingGroup
from auto_lambda.aws.cloudwatch import Metrics
from auto_lambda.aws.sqs import Queue
from auto_lambda.recent_attempts import RecentAttempts
from auto_lambda_cli.console.answers import in_parts
from auto_lambda_cli.console.context import ConsoleContext
from auto_lambda_cli.console.problems import Problem
from auto_lambda_cli.console.requests import PageRequest
from auto_lambda_cli.progress.snapshot import LAST, NEWEST, NewestReceipts, divide, told
from auto_lambda_cli.queries.services import TABLE

_QUEUE, _DEAD_LETTERS = "AUTO_LAMBDA_QUEUE_URL", "AUTO_LAMBDA_DEAD_LETTER_QUEUE_URL"
_GROUP, _NAMESPACE = "AUTO_LAMBDA_WORKER_GROUP", "AUTO_LAMBDA_METRICS_NAMESPACE"
_SERIES = {
    "backlog_seconds": "BacklogSeconds",
    "visible": "QueueVisible",
    "in_flight": "QueueInFlight",
    "workers": "WorkersInService",
    "busy": "WorkersBusy",
}
_LONGEST = 1440  # minutes
_POINTS = 600
_PERIODS = (1, 5, 10, 30, 60, 300)  # seconds that CloudWatch has for metrics of a second's resolution


class FleetView:
    """Tells what the fleet does. Receipts are read again only if they have changed.

    Args:
        context: the pipeline.
    """

    def __init__(self, context: ConsoleContext) -> None:
        self._context = context
        self._receipts = NewestReceipts()

    def parts(self) -> dict[str, Any]:
        """Ask for each part."""
        context = self._context
        building: list[tuple[Any, Any]] = []

        def divided() -> tuple[Any, Any]:
            if not building:
                building.append(self._divided())
            return building[0]

        return in_parts({
            "queue": context.part(lambda: asdict(self._queue(_QUEUE).depth())),
            "dead_letters": context.part(lambda: self._queue(_DEAD_LETTERS).depth().visible),
            "workers": context.part(self._capacity),
            "running": context.part(lambda: [asdict(build) for build in divided()[0]]),
            "last": context.part(lambda: [asdict(told(receipt)) for receipt in divided()[1][:LAST]]),
        })  # fmt: skip

    def _queue(self, name: str) -> Queue:
        return Queue(self._context.services.client("sqs"), self._context.setting(name))

    def _capacity(self) -> dict[str, int]:
        name = self._context.setting(_GROUP)
        return asdict(AutoScalingGroup(self._context.services.client("autoscaling"), name).capacity())

    def _divided(self) -> tuple[Any, Any]:
        context = self._context
        receipts = self._receipts.read(context.services.store, context.target.bucket)
        table = context.environ.get(TABLE)
        attempts = RecentAttempts(context.services.client("dynamodb"), table).newest(NEWEST) if table else ()
        return divide(receipts, attempts, context.now())


def fleet(context: ConsoleContext, _: PageRequest) -> Any:
    """Tell what the fleet does now."""
    return FleetView(context).parts()


def series(context: ConsoleContext, asked: PageRequest) -> Any:
    """Return what the checker has published of the last minutes."""
    given = asked.query.get("minutes", "60")
    if not given.isascii() or not given.isdecimal() or not 1 <= int(given[:6]) <= _LONGEST:
        raise Problem("bad-request", f"minutes has to be a number from 1 to {_LONGEST:,}")
    return in_parts({"series": context.part(lambda: _series(context, int(given)))})


def _series(context: ConsoleContext, minutes: int) -> dict[str, Any]:
    period = next((one for one in _PERIODS if minutes * 60 / one <= _POINTS), _PERIODS[-1])
    end = context.now() + timedelta(seconds=period)
    metrics = Metrics(context.services.client("cloudwatch"), context.setting(_NAMESPACE))
    queue = {"QueueName": context.setting(_QUEUE).rpartition("/")[2]}
    found = metrics.several(_SERIES, queue, end - timedelta(minutes=minutes), end, period)
    times = sorted({moment for values in found.values() for moment in values})
    columns = {name: [values.get(moment) for moment in times] for name, values in found.items()}
    return {"period": period, "times": times, "series": columns}

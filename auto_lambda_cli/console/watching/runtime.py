"""Watches what the functions of an app log: in pages, with a bound on what one look keeps in memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from auto_lambda.aws.logs import BadPattern
from auto_lambda.redact import printable
from auto_lambda_cli.console.context import ConsoleContext
from auto_lambda_cli.console.problems import Problem
from auto_lambda_cli.console.requests import PageRequest
from auto_lambda_cli.console.streams import StreamEvent
from auto_lambda_cli.queries.runtime_log import LogEvent, RuntimeLog, ago, runtime_log

KEPT_EVENTS, KEPT_CHARACTERS = 5_000, 2_000_000
"""What is kept of one look at most, the newest events."""
_STEP = 1_000  # events that are read before somebody may leave
_BATCH = 500
_LONGEST = 10_000  # characters of one event
_PAUSE = 2.0
_LEAST = timedelta(milliseconds=1)


class RecentEvents:
    """The newest of many events, as many as may be kept; counts the others."""

    def __init__(self, events: int = KEPT_EVENTS, characters: int = KEPT_CHARACTERS) -> None:
        self._most = events, characters
        self._kept = deque[LogEvent]()
        self._characters = 0
        self.dropped = 0

    def add(self, event: LogEvent) -> None:
        """Add one."""
        self._kept.append(event)
        self._characters += len(event.message)
        while len(self._kept) > self._most[0] or self._characters > self._most[1]:
            self._characters -= len(self._kept.popleft().message)
            self.dropped += 1

    def take(self) -> list[LogEvent]:
        """Return what is kept, the oldest first, and keep none of it."""
        taken = list(self._kept)
        self._kept.clear()
        self._characters = 0
        return taken


class RuntimeWatch:
    """Watches the log of an app's functions for one listener.

    Args:
        context: the pipeline.
        asked: names the app, and says what of its log is wanted.
    """

    def __init__(self, context: ConsoleContext, asked: PageRequest) -> None:
        self._context = context
        self._app = asked.app
        self._pattern = asked.query.get("filter") or None
        self._function = asked.query.get("function") or None
        since = ago(asked.query.get("since", "10m"), context.now())
        if since is None:
            raise Problem("bad-request", "since is neither a time (2026-01-31T12:00) nor a span (90s, 10m, 2h, 3d)")
        self._since: datetime = since
        self._recent = RecentEvents()
        self._events: Iterator[LogEvent | None] | None = None
        self._log: RuntimeLog | None = None
        self._functions: list[str] = []
        self._complete = False

    @property
    def pause(self) -> float:
        """Seconds until the next look: none while there is more to read."""
        return _PAUSE if self._complete else 0.0

    def look(self) -> Sequence[StreamEvent]:
        """Read on; when all is read, return what of it was kept."""
        try:
            self._complete = self._read()
        except BadPattern as error:
            raise Problem("bad-pattern", printable(str(error)), "The syntax is that of CloudWatch Logs.") from None
        except BaseException:
            self._events = None  # begin again where it stopped, with other credentials perhaps
            raise
        return self._told() if self._complete else []

    def _read(self) -> bool:
        if self._events is None:
            self._log = runtime_log(self._context.services, self._app, self._function)
            self._events = self._log.follow(self._since, self._pattern, sleep=lambda _: None)
        if self._log and not self._functions:
            self._functions = self._log.functions
        for _ in range(_STEP):
            event = next(self._events)
            if event is None:
                return True
            self._since = max(self._since, event.at + _LEAST)
            self._recent.add(_shortened(event))
        return False

    def _told(self) -> list[StreamEvent]:
        events, dropped = self._recent.take(), self._recent.dropped
        self._recent.dropped = 0
        batches = [events[first : first + _BATCH] for first in range(0, len(events), _BATCH)]
        lines = [
            StreamEvent("lines", {"events": [_json(one) for one in batch], "dropped": 0 if number else dropped})
            for number, batch in enumerate(batches)
        ]
        return [*lines, StreamEvent("looked", {"at": self._context.now(), "functions": self._functions})]


def _shortened(event: LogEvent) -> LogEvent:
    more = len(event.message) - _LONGEST
    if more <= 0:
        return event
    return LogEvent(event.at, event.function, f"{event.message[:_LONGEST]} ... and {more:,} more characters")


def _json(event: LogEvent) -> dict[str, Any]:
    return {**event.as_json(), "message": printable(event.message)}

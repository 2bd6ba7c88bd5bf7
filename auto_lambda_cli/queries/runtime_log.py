"""What an app's functions log while they run."""

from __future__ import annotations

import heapq
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Any

from auto_lambda.aws.logs import Logged, LogGroups
from auto_lambda.keys import App
from auto_lambda_cli.queries.services import Services

_LATE = timedelta(seconds=10)
"""How much later than its own time an event may become readable."""
_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)  # of CloudWatch
_REMEMBERED = 20_000  # ids of events that were yielded


@dataclass(frozen=True, slots=True)
class LogEvent:
    """One event: the function's name, short, and what it logged. ``at`` in UTC."""

    at: datetime
    function: str
    message: str

    def as_json(self) -> dict[str, Any]:
        """Return every field, with the time as ISO 8601."""
        return {
            "at": self.at.isoformat(timespec="milliseconds"), "function": self.function, "message": self.message
        }  # fmt: skip


class RuntimeLog:
    """The log of an app's functions: groups ``/aws/lambda/<name>-<stage>`` and those below it.

    Args:
        groups: the account's.
        app: which one.
        function: of the app; None: all.
    """

    def __init__(self, groups: LogGroups, app: App, function: str | None = None) -> None:
        self._groups = groups
        self._app = app
        self._function = function

    @property
    def functions(self) -> list[str]:
        """The functions that have a log: the app's own name, or theirs within the app."""
        return [_short(self._app, group) for group in self._names()]

    def events(self, since: datetime, pattern: str | None = None) -> Iterator[LogEvent]:
        """Yield every event in order of time, as it is read: a log may be larger than memory.

        Raises:
            auto_lambda.aws.logs.BadPattern: as it says.
        """
        return map(self._event, self._all(since, pattern))

    def follow(
        self,
        since: datetime,
        pattern: str | None = None,
        *,
        sleep: Callable[[float], None] = time.sleep,
        pause: float = 2.0,
    ) -> Iterator[LogEvent | None]:
        """Yield every event, and then those that are added, for ever; None after each look.

        Args:
            since: of the first event, in UTC.
            pattern: as for `LogGroups.events`.
            sleep: waits so many seconds between two looks.
            pause: how many.
        """
        told, order = set[str](), deque[str]()
        newest = since
        while True:
            for one in self._all(max(since, newest - _LATE), pattern):
                if one.id not in told:
                    told.add(one.id)
                    order.append(one.id)
                    newest = max(newest, one.at)
                    yield self._event(one)
            while len(order) > _REMEMBERED:
                told.discard(order.popleft())
            yield None
            sleep(pause)

    def _all(self, since: datetime, pattern: str | None) -> Iterator[Logged]:
        each: Iterable[Iterator[Logged]] = [self._groups.events(name, since, pattern) for name in self._names()]
        return heapq.merge(*each, key=attrgetter("at"))

    def _names(self) -> list[str]:
        own = f"/aws/lambda/{self._app.function}"
        found = [name for name in self._groups.beginning_with(own) if name == own or name.startswith(f"{own}/")]
        wanted = self._function
        return [name for name in found if wanted is None or plain(_short(self._app, name)) == plain(wanted)]

    def _event(self, one: Logged) -> LogEvent:
        return LogEvent(one.at, _short(self._app, one.group), one.message.rstrip("\n"))


def runtime_log(services: Services, app: App, function: str | None = None) -> RuntimeLog:
    """Return the log of an app's functions, or of one of them."""
    return RuntimeLog(LogGroups(services.client("logs")), app, function)


def plain(function: str) -> str:
    """Reduce a function's name to what people compare: ``send_mail`` is CloudFormation's ``SendMail``."""
    return "".join(character for character in function.lower() if character.isalnum())


def _short(app: App, group: str) -> str:
    return group.removeprefix(f"/aws/lambda/{app.function}").lstrip("/") or app.function


def ago(text: str, now: datetime | None = None) -> datetime | None:
    """Read ``90s``, ``10m``, ``2h`` or ``3d`` as a time so long ago, or an ISO 8601 time; None if it is neither."""
    units = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
    number, unit = text[:-1], text[-1:]
    if number.isdecimal() and len(number) < 7 and unit in units:
        span, now = timedelta(**{units[unit]: int(number)}), now or datetime.now(UTC)
        return now - span if span < now - _EARLIEST else _EARLIEST
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return max(_EARLIEST, moment if moment.tzinfo else moment.replace(tzinfo=UTC))

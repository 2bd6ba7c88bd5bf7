"""CloudWatch Logs, as far as we use it. The only module that calls it for what functions log."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient


_MOST_PAGES = 20  # of 1 MB or 10,000 events
_BEGINS = re.compile(r'START RequestId: |\{"time":"[^"\n]{1,40}","type":"platform\.start"')
_ENDS = re.compile(r'(?:END|REPORT) RequestId: |\{"time":"[^"\n]{1,40}","type":"platform\.(?:report|runtimeDone)"')


class BadPattern(Exception):
    """CloudWatch Logs does not understand the filter pattern; the message is its own."""


@dataclass(frozen=True, slots=True)
class Logged:
    """One event of a log group. ``id`` is unique; ``at`` in UTC."""

    at: datetime
    group: str
    id: str
    message: str


class LogGroups:
    """Log groups, by name. Exceptions but `BadPattern` are botocore's."""

    def __init__(self, client: CloudWatchLogsClient) -> None:
        self._client = client

    def beginning_with(self, prefix: str) -> list[str]:
        """List the names of those that begin with a prefix."""
        pages = self._client.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=prefix)
        return [group["logGroupName"] for page in pages for group in page["logGroups"]]

    def events(self, group: str, since: datetime, pattern: str | None = None) -> Iterator[Logged]:
        """Yield a group's events in order of time, page by page; none if the group does not exist.

        Args:
            group: its name.
            since: of the first event, in UTC.
            pattern: in the syntax of CloudWatch Logs; by default every event.

        Raises:
            BadPattern: it is not in that syntax.
        """
        wanted: Any = {"filterPattern": pattern} if pattern else {}
        paginator = self._client.get_paginator("filter_log_events")
        start = int(since.timestamp() * 1000)
        try:
            for page in paginator.paginate(logGroupName=group, startTime=start, **wanted):
                for event in page["events"]:
                    at = datetime.fromtimestamp(event["timestamp"] / 1000, UTC)
                    yield Logged(at, group, _id(event), event["message"])
        except self._client.exceptions.ResourceNotFoundException:
            return
        except self._client.exceptions.InvalidParameterException as error:
            raise BadPattern(error.response["Error"]["Message"]) from None

    def of_request(self, group: str, request: str, since: datetime) -> list[str] | None:
        """Return every event of one invocation of a function; None unless all are there and they are not too many.

        Args:
            group: the function's.
            request: the invocation's id.
            since: when it began, in UTC, or earlier.
        """
        # The events of an invocation need not name it. Lambda's own first and last one do, and are in the same stream.
        named = list(self._pages(group, since, None, filterPattern=f'"{request}"'))
        began = next((one for one in named if _BEGINS.match(one["message"])), None)
        ended = next((one for one in reversed(named) if _ENDS.match(one["message"])), None)
        if began is None or ended is None or began["logStreamName"] != ended["logStreamName"]:
            return None
        first, last = (datetime.fromtimestamp(one["timestamp"] / 1000, UTC) for one in (began, ended))
        events = list(self._pages(group, first, last, logStreamNames=[began["logStreamName"]]))
        messages = [str(one["message"]) for one in events]
        try:
            return messages[messages.index(began["message"]) : messages.index(ended["message"]) + 1]
        except ValueError:
            return None

    def _pages(self, group: str, since: datetime, until: datetime | None, **wanted: Any) -> Iterator[Any]:
        start = int(since.timestamp() * 1000)
        end: Any = {"endTime": int((until + timedelta(milliseconds=1)).timestamp() * 1000)} if until else {}
        pages = self._client.get_paginator("filter_log_events").paginate(
            logGroupName=group, startTime=start, **end, **wanted
        )
        for page in islice(pages, _MOST_PAGES):
            yield from page["events"]


def _id(event: Any) -> str:
    """Return an event's id; the embedded AWS gives none, so there the event itself is its id."""
    return event.get("eventId") or f"{event.get('logStreamName')} {event['timestamp']} {event['message']}"

"""CloudWatch Logs, as far as we use it. The only module that calls it for what functions log."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient


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


def _id(event: Any) -> str:
    """Return an event's id; the embedded AWS gives none, so there the event itself is its id."""
    return event.get("eventId") or f"{event.get('logStreamName')} {event['timestamp']} {event['message']}"

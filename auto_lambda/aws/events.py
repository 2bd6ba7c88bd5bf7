"""EventBridge, as far as we use it. The only module that calls it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_events.type_defs import PutEventsResultEntryTypeDef

MOST_AT_ONCE = 10
_ACCOUNTS_OWN = "default"


@dataclass(frozen=True, slots=True)
class Entry:
    """One event for a bus. ``detail`` is a JSON object."""

    source: str
    detail_type: str
    detail: str
    time: datetime


class EventBus:
    """One event bus, by its name."""

    def __init__(self, client: EventBridgeClient, name: str) -> None:
        self._client = client
        self._name = name

    def put(self, entries: Sequence[Entry]) -> tuple[str | None, ...]:
        """Send up to ten events, and return for each why it was refused, None if it was accepted.

        The call may succeed while some of the events are refused. Exceptions are botocore's.
        """
        if self._name != _ACCOUNTS_OWN:
            # PutEvents takes events for a bus that does not exist, and drops them: https://github.com/aws/aws-sdk/issues/186
            self._client.describe_event_bus(Name=self._name)
        answer = self._client.put_events(
            Entries=[
                {
                    "EventBusName": self._name,
                    "Source": entry.source,
                    "DetailType": entry.detail_type,
                    "Detail": entry.detail,
                    "Time": entry.time,
                }
                for entry in entries
            ]
        )
        return tuple(_reason(item) for _, item in zip(entries, answer["Entries"], strict=True))


def _reason(item: PutEventsResultEntryTypeDef) -> str | None:
    code = item.get("ErrorCode")
    return f"{code}: {item.get('ErrorMessage', '')}" if code else None

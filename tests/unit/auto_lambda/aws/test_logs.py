"""The log of one invocation, found among others'."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from auto_lambda.aws.logs import LogGroups

GROUP, NOON = "/aws/lambda/shop-dev", datetime(2026, 11, 29, 12, tzinfo=UTC)
MS = int(NOON.timestamp() * 1000)
Event = tuple[str, int, str]


class Client:
    """CloudWatch Logs with these events: stream, milliseconds after noon, message; one event a page."""

    def __init__(self, *events: Event) -> None:
        self._events: list[dict[str, Any]] = [
            {"logStreamName": stream, "timestamp": MS + at, "message": text} for stream, at, text in events
        ]
        self.pages = 0

    def get_paginator(self, operation: str) -> Client:
        assert operation == "filter_log_events"
        return self

    def paginate(self, *, logGroupName: str, startTime: int, **wanted: Any) -> Iterator[Any]:  # noqa: N803 - boto3's
        assert logGroupName == GROUP
        phrase, streams = wanted.get("filterPattern", '""').strip('"'), wanted.get("logStreamNames")
        for one in self._events:
            fits = startTime <= one["timestamp"] < wanted.get("endTime", 10**15)
            if fits and phrase in one["message"] and (streams is None or one["logStreamName"] in streams):
                self.pages += 1
                yield {"events": [one]}


def of(request: str, *events: Event) -> list[str] | None:
    client: Any = Client(*events)
    return LogGroups(client).of_request(GROUP, request, NOON)


def text(stream: str, request: str, at: int = 0) -> list[Event]:
    """An invocation in Lambda's format for text."""
    return [
        (stream, at, f"START RequestId: {request} Version: 7\n"),
        (stream, at + 1, "asked\n"),
        (stream, at + 1, f"{request} stands in a line of its own, too\n"),
        (stream, at + 2, f"END RequestId: {request}\n"),
        (stream, at + 2, f"REPORT RequestId: {request}\tDuration: 3 ms\n"),
    ]


def test_the_events_of_one_invocation_are_told_from_those_beside_before_and_after_it() -> None:
    beside = [("b", 1, "somebody else's\n"), *text("b", "r9")]
    found = of("r2", *text("a", "r1"), *beside, *text("a", "r2", 2), *text("a", "r3", 4))
    assert found == [message for _, _, message in text("a", "r2")]


def test_json_is_understood() -> None:
    def platform(kind: str) -> str:
        return f'{{"time":"2026-11-29T12:00:00.000Z","type":"platform.{kind}","record":{{"requestId":"r1"}}}}\n'

    events = [("a", 0, platform("start")), ("a", 1, '{"level":"ERROR"}\n'), ("a", 2, platform("report"))]
    assert of("r1", *events) == [message for _, _, message in events]


@pytest.mark.parametrize(
    "events", [[], text("a", "r1")[:3], text("a", "r1")[1:], [*text("a", "r1")[:1], *text("b", "r1")[3:]]]
)
def test_what_is_not_there_as_a_whole_is_not_there_yet(events: list[Event]) -> None:
    assert of("r1", *events) is None


def test_an_endless_log_is_not_read_to_its_end() -> None:
    start, end = text("a", "r1")[0], text("a", "r1", 5000)[3]
    client: Any = Client(start, *(("a", at, "noise\n") for at in range(1, 5000)), end)
    assert LogGroups(client).of_request(GROUP, "r1", NOON) is None
    assert client.pages < 100

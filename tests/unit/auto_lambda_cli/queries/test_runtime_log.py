"""What an app's functions log: in order, once, and of this app alone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import boto3
import pytest
from seen_pipeline import NOON, SHOP

from auto_lambda.aws.logs import BadPattern, Logged, LogGroups
from auto_lambda_cli.queries.runtime_log import LogEvent, RuntimeLog, ago, runtime_log
from auto_lambda_cli.queries.services import Services

OWN = "/aws/lambda/shop-dev"


class FakeGroups(LogGroups):
    """Groups in memory."""

    def __init__(self, *groups: str) -> None:
        self.held: dict[str, list[Logged]] = {name: [] for name in groups}
        self.asked: list[datetime] = []
        self._ids = count()

    def add(self, group: str, message: str, seconds: float = 0) -> None:
        self.held[group].append(Logged(NOON + timedelta(seconds=seconds), group, str(next(self._ids)), message))

    def beginning_with(self, prefix: str) -> list[str]:
        return [name for name in self.held if name.startswith(prefix)]

    def events(self, group: str, since: datetime, pattern: str | None = None) -> Iterator[Logged]:
        self.asked.append(since)
        return iter([it for it in self.held[group] if it.at >= since and (pattern or "") in it.message])


def messages(events: Iterator[LogEvent | None]) -> list[str]:
    return [it.message for it in events if it]


def test_events_of_all_functions_come_in_order_of_time() -> None:
    groups = FakeGroups(OWN, f"{OWN}/SendMail", "/aws/lambda/shop-developer", "/aws/lambda/shop-dev-2")
    groups.add(OWN, "second", 2)
    groups.add(f"{OWN}/SendMail", "first", 1)
    groups.add("/aws/lambda/shop-developer", "of another app")
    log = RuntimeLog(groups, SHOP)
    assert [(it.function, it.message) for it in log.events(NOON)] == [("SendMail", "first"), ("shop-dev", "second")]
    assert log.functions == ["shop-dev", "SendMail"]
    assert messages(log.events(NOON, "fir")) == ["first"]
    assert messages(RuntimeLog(groups, SHOP, "send_mail").events(NOON)) == ["first"]
    assert messages(RuntimeLog(groups, SHOP, "nothere").events(NOON)) == []


def test_following_tells_each_event_once_even_one_that_comes_late() -> None:
    groups = FakeGroups(OWN)
    groups.add(OWN, "a", 20)
    arrivals = iter([("late", 15.0), ("new", 30.0)])

    def sleep(_: float) -> None:
        if arrival := next(arrivals, None):
            groups.add(OWN, *arrival)

    looks = 0
    seen = []
    for event in RuntimeLog(groups, SHOP).follow(NOON, sleep=sleep):
        if event:
            seen.append(event.message)
        elif (looks := looks + 1) == 4:
            break
    assert seen == ["a", "late", "new"]


def test_a_log_is_read_as_it_is_asked_for() -> None:
    class Endless(FakeGroups):
        def events(self, group: str, since: datetime, pattern: str | None = None) -> Iterator[Logged]:
            return (Logged(NOON, group, str(number), str(number)) for number in count())

    events = RuntimeLog(Endless(OWN), SHOP).events(NOON)
    assert [next(events).message for _ in range(3)] == ["0", "1", "2"]


def test_it_reads_cloudwatch(services: Services) -> None:
    client: Any = boto3.client("logs")
    at = int(datetime.now(UTC).timestamp() * 1000)
    client.create_log_group(logGroupName=OWN)
    client.create_log_stream(logGroupName=OWN, logStreamName="s")
    lines = [{"timestamp": at + number, "message": f"line {number}\n"} for number in range(3)]
    client.put_log_events(logGroupName=OWN, logStreamName="s", logEvents=lines)
    log = runtime_log(services, SHOP)
    since = datetime.now(UTC) - timedelta(minutes=1)
    assert messages(log.events(since)) == ["line 0", "line 1", "line 2"]
    assert messages(log.events(datetime.now(UTC) + timedelta(minutes=1))) == []
    assert list(LogGroups(client).events("/aws/lambda/nothere", since)) == []


def test_a_pattern_that_cloudwatch_refuses(services: Services) -> None:
    client: Any = boto3.client("logs")
    client.create_log_group(logGroupName=OWN)

    class Refusing:
        exceptions = client.exceptions

        def get_paginator(self, _: str) -> Any:
            return self

        def paginate(self, **_: Any) -> Any:
            error = {"Error": {"Code": "InvalidParameterException", "Message": "Invalid character"}}
            raise client.exceptions.InvalidParameterException(error, "FilterLogEvents")

    refusing: Any = Refusing()
    with pytest.raises(BadPattern, match="Invalid character"):
        list(LogGroups(refusing).events(OWN, NOON, "{"))


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("10m", 600), ("2h", 7200), ("3d", 259200), ("2026-01-02T11:59:00", 60)]
)
def test_a_span_or_a_time(text: str, seconds: int) -> None:
    assert ago(text, NOON) == NOON - timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "10", "m", "-5m", "10x", "yesterday", "99999999999d"])
def test_what_is_neither(text: str) -> None:
    assert ago(text, NOON) is None


@pytest.mark.parametrize("text", ["999999d", "0001-01-01T00:00"])
def test_nothing_is_older_than_cloudwatchs_time(text: str) -> None:
    assert ago(text, NOON) == datetime(1970, 1, 1, tzinfo=UTC)

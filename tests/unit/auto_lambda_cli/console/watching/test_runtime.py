from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from console import Page
from hypothesis import given
from hypothesis import strategies as st

from auto_lambda.aws.logs import LogGroups
from auto_lambda_cli.console.context import ConsoleContext
from auto_lambda_cli.console.requests import PageRequest
from auto_lambda_cli.console.watching.runtime import RecentEvents, RuntimeWatch
from auto_lambda_cli.queries.runtime_log import LogEvent, RuntimeLog

SHOP = {"stage": "dev", "name": "shop"}
GROUP = "/aws/lambda/shop-dev"


@pytest.fixture
def logs(context: ConsoleContext) -> Any:
    client = boto3.client("logs")
    client.create_log_group(logGroupName=GROUP)
    client.create_log_stream(logGroupName=GROUP, logStreamName="it")
    return client


def log(client: Any, *messages: str) -> None:
    now = int(datetime.now(UTC).timestamp() * 1000)
    events = [{"timestamp": now + number, "message": message} for number, message in enumerate(messages)]
    client.put_log_events(logGroupName=GROUP, logStreamName="it", logEvents=events)


def lines(watch: RuntimeWatch) -> tuple[list[str], int]:
    """What a look tells: messages, and how many were left out."""
    found, dropped = list[str](), 0
    for event in watch.look():
        if event.name == "lines":
            found += [one["message"] for one in event.data["events"]]
            dropped += event.data["dropped"]
    return found, dropped


def test_what_functions_log_is_told_once(context: ConsoleContext, logs: Any) -> None:
    watch = RuntimeWatch(context, PageRequest(SHOP))
    log(logs, "one", "two <script>alert(1)</script>\x1b[31m")
    assert lines(watch) == (["one", "two <script>alert(1)</script>"], 0)
    assert lines(watch) == ([], 0)
    assert watch.pause == 2.0
    log(logs, "three")
    assert lines(watch) == (["three"], 0)


def test_the_functions_that_log_are_named(context: ConsoleContext, logs: Any) -> None:
    looked = RuntimeWatch(context, PageRequest(SHOP)).look()[-1]
    assert (looked.name, looked.data["functions"]) == ("looked", ["shop-dev"])


def test_an_app_that_has_logged_nothing_is_watched_all_the_same(context: ConsoleContext) -> None:
    (looked,) = RuntimeWatch(context, PageRequest(SHOP)).look()
    assert looked.data["functions"] == []


def test_a_span_that_is_none_is_refused(page: Page) -> None:
    answer = page.get("api/apps/dev/shop/runtime?since=yesterday")
    assert (answer.status, answer.error["code"]) == (400, "bad-request")


def test_of_a_large_log_the_newest_events_are_told(context: ConsoleContext, monkeypatch: pytest.MonkeyPatch) -> None:
    now = datetime.now(UTC)

    def many(*_: Any) -> Iterator[LogEvent]:
        return (LogEvent(now + timedelta(microseconds=number), "shop-dev", f"{number}") for number in range(12_000))

    monkeypatch.setattr(RuntimeLog, "_all", many)
    monkeypatch.setattr(RuntimeLog, "_event", lambda _, event: event)
    monkeypatch.setattr(LogEvent, "id", property(lambda event: event.message), raising=False)
    monkeypatch.setattr(LogGroups, "beginning_with", lambda *_: [GROUP])
    watch = RuntimeWatch(context, PageRequest(SHOP))
    looks = 0
    while not (events := watch.look()):
        looks += 1
        assert watch.pause == 0.0
    assert looks == 12
    batches = [event.data for event in events if event.name == "lines"]
    assert [batch["dropped"] for batch in batches] == [7_000] + [0] * 9
    assert sum(len(batch["events"]) for batch in batches) == 5_000
    assert batches[-1]["events"][-1]["message"] == "11999"


def test_a_long_event_is_shortened(context: ConsoleContext, logs: Any) -> None:
    log(logs, "x" * 10_007)
    (message,), _ = lines(RuntimeWatch(context, PageRequest(SHOP)))
    assert message.endswith("x ... and 7 more characters")
    assert len(message) < 10_050


@given(st.lists(st.text(max_size=30), max_size=40), st.integers(1, 10), st.integers(30, 100))
def test_no_more_is_kept_than_may_be(messages: list[str], most: int, characters: int) -> None:
    recent = RecentEvents(most, characters)
    for message in messages:
        recent.add(LogEvent(datetime.now(UTC), "f", message))
    kept = [event.message for event in recent.take()]
    assert len(kept) <= most
    assert sum(map(len, kept)) <= characters
    assert kept == messages[recent.dropped :]
    assert recent.take() == []


def test_after_a_failure_it_goes_on_where_it_was(
    context: ConsoleContext, logs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = RuntimeWatch(context, PageRequest(SHOP))
    log(logs, "one")
    assert lines(watch)[0] == ["one"]
    real = LogGroups.events

    def expired(*_: Any) -> Any:
        raise ClientError({"Error": {"Code": "ExpiredTokenException", "Message": "expired"}}, "FilterLogEvents")

    monkeypatch.setattr(LogGroups, "events", expired)
    with pytest.raises(ClientError):
        watch.look()
    monkeypatch.setattr(LogGroups, "events", real)
    logs.put_log_events(
        logGroupName=GROUP, logStreamName="it",
        logEvents=[{"timestamp": int(datetime.now(UTC).timestamp() * 1000) + 1000, "message": "two"}],
    )  # fmt: skip
    assert lines(watch)[0] == ["two"]


def test_a_pattern_that_is_none_ends_the_stream(page: Page, logs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from auto_lambda.aws.logs import BadPattern

    def refuse(*_: Any) -> Any:
        raise BadPattern("Invalid filter pattern")

    monkeypatch.setattr(LogGroups, "events", refuse)
    with page.stream("api/apps/dev/shop/runtime?filter=%5B") as events:
        told = list(events)
    assert [name for name, _ in told] == ["problem", "end"]
    assert told[0][1]["error"]["code"] == "bad-pattern"

"""Stored events are sent, whatever EventBridge says, and by whichever worker is there."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from event_bus import FakeBus
from structlog.testing import capture_logs
from tables import FakeTable

from auto_lambda.attempts import Attempt
from auto_lambda.aws.dynamodb import Delete, Put
from auto_lambda.aws.events import Entry
from auto_lambda.receipts import Receipt
from worker.records.event import Event, event_of
from worker.records.outbox import KEPT_SECONDS, PARTITION, PAUSE, Outbox

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


@pytest.fixture
def table() -> FakeTable:
    return FakeTable()


@pytest.fixture
def bus() -> FakeBus:
    return FakeBus()


def event(number: int = 0) -> Event:
    ended = NOON + timedelta(seconds=number)
    attempt = Attempt("apps/dev/shop.zip", f"v{number}", "w", 1, NOON, None, ended, "superseded")
    receipt = Receipt("apps/dev/shop.zip", "w", "shop", "dev", "superseded", object_version=f"v{number}")
    return event_of(receipt, "drops", "superseded", attempt, number)


def outbox(table: FakeTable, bus: FakeBus, later: float = 0.0) -> Outbox:
    return Outbox(table, bus, now=lambda: NOON.timestamp() + later)


def kept(table: FakeTable) -> list[str]:
    return [str(item["id"]) for item in table.items(PARTITION)]


def sent(bus: FakeBus) -> list[str]:
    return [json.loads(entry.detail)["id"] for entry in bus.entries]


def test_what_is_published_is_sent_and_deleted_by_a_thread_of_its_own(table: FakeTable, bus: FakeBus) -> None:
    box = outbox(table, bus)
    box.start()
    box.publish(event(1))
    box.publish(event(2))
    box.close()
    assert sent(bus) == [event(1).id, event(2).id]
    assert kept(table) == []


def test_it_can_be_closed_without_a_start(table: FakeTable, bus: FakeBus) -> None:
    box = outbox(table, bus)
    box.publish(event())
    box.close()
    assert kept(table) == [event().id]


def test_publishing_waits_for_nobody(table: FakeTable, bus: FakeBus) -> None:
    box = outbox(table, bus)
    box.publish(event())
    assert kept(table) == [event().id]
    assert bus.entries == []


def denied(_: Entry) -> str:
    raise OSError("AccessDenied")


@pytest.mark.parametrize("refuse", [denied, lambda _: "ThrottlingException: Rate exceeded"])
def test_what_eventbridge_refuses_is_said_and_kept(
    table: FakeTable, bus: FakeBus, refuse: Callable[[Entry], str]
) -> None:
    bus.refuse = refuse
    box = outbox(table, bus, later=PAUSE)
    table.write(box.put(event()))
    with capture_logs() as lines:
        box.send_left_over()
    (line,) = (line for line in lines if line["event"] == "event not sent")
    assert (line["id"], line["detail_type"], line["log_level"]) == (event().id, "App Superseded", "warning")
    assert kept(table) == [event().id]
    bus.refuse = lambda _: None
    box.send_left_over()
    assert (sent(bus), kept(table)) == ([event().id], [])


def test_one_that_is_refused_does_not_hold_up_the_others(table: FakeTable, bus: FakeBus) -> None:
    bus.refuse = lambda entry: "InvalidArgument" if event(3).id in entry.detail else None
    box = outbox(table, bus, later=PAUSE + 25)
    for number in range(25):
        table.write(box.put(event(number)))
    box.send_left_over()
    assert bus.calls == [10, 10, 5]
    assert kept(table) == [event(3).id]
    assert sent(bus) == [event(number).id for number in range(25) if number != 3]


def test_what_another_worker_is_just_sending_is_left_to_it(table: FakeTable, bus: FakeBus) -> None:
    mine = outbox(table, bus)
    table.write(mine.put(event()))
    outbox(table, bus, later=PAUSE - 1).send_left_over()
    assert bus.entries == []
    outbox(table, bus, later=PAUSE).send_left_over()
    assert sent(bus) == [event().id]


def test_a_worker_sends_at_its_start_what_is_left_over(table: FakeTable, bus: FakeBus) -> None:
    box = outbox(table, bus, later=PAUSE)
    table.write(box.put(event()))
    box.start()
    box.publish(event(1))
    box.close()
    assert event(1).id in sent(bus)
    outbox(table, bus, later=PAUSE + 1).send_left_over()
    assert set(sent(bus)) == {event().id, event(1).id}


def test_what_was_sent_and_could_not_be_deleted_comes_again_with_the_same_id(bus: FakeBus) -> None:
    class Stubborn(FakeTable):
        def write(self, *writes: Put | Delete) -> None:
            if any(isinstance(it, Delete) for it in writes):
                raise OSError("no DynamoDB")
            super().write(*writes)

    table = Stubborn()
    box = outbox(table, bus, later=PAUSE)
    table.write(box.put(event()))
    with capture_logs() as lines:
        box.send_left_over()
        box.send_left_over()
    assert sent(bus) == [event().id] * 2
    assert "sent events not deleted" in {line["event"] for line in lines}


def test_a_table_that_cannot_be_read_is_no_end(bus: FakeBus) -> None:
    class Gone(FakeTable):
        def items(self, pk: str, *, newest: int | None = None) -> object:  # type: ignore[override]
            raise OSError("no DynamoDB")

    with capture_logs() as lines:
        outbox(Gone(), bus).send_left_over()
    assert [line["event"] for line in lines] == ["events that are left over not read"]


def test_what_nobody_ever_takes_goes_when_messages_go(table: FakeTable, bus: FakeBus) -> None:
    table.write(outbox(table, bus).put(event()))
    (item,) = table.items(PARTITION)
    assert item["expires"] == NOON.timestamp() + KEPT_SECONDS

"""The age of the oldest message, from what the ledger knows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from auto_lambda.attempts import Attempt, OutcomeName
from checker.oldest import MOST_RECEIVES, oldest_seconds

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def ago(seconds: float) -> datetime:
    return NOON - timedelta(seconds=seconds)


def attempt(sent: float, outcome: OutcomeName | None, subject: str = "a", number: int = 1) -> Attempt:
    """One whose message was sent, and taken up at once, so many seconds ago."""
    return Attempt(subject, None, None, number, ago(sent), ago(sent), ago(0) if outcome else None, outcome)


def test_an_empty_queue_has_no_old_messages_whatever_the_ledger_says() -> None:
    running = attempt(500, None)
    assert oldest_seconds(NOON, [running], visible=0, in_flight=0, waiting_since=None) == 0


def test_what_comes_back_again_and_again_is_as_old_as_its_first_sending() -> None:
    attempts = [attempt(900, "delayed", number=4), attempt(900, "delayed", number=3), attempt(3000, "live", "b")]
    assert oldest_seconds(NOON, attempts, visible=0, in_flight=1, waiting_since=None) == 900


def test_what_was_settled_later_counts_no_more() -> None:
    attempts = [attempt(30, None, "b"), attempt(900, "live", number=2), attempt(900, None)]
    assert oldest_seconds(NOON, attempts, visible=0, in_flight=1, waiting_since=None) == 30


def test_what_was_put_aside_is_no_longer_in_the_queue() -> None:
    attempts = [attempt(30, None, "b"), attempt(900, "delayed", number=MOST_RECEIVES)]
    assert oldest_seconds(NOON, attempts, visible=0, in_flight=1, waiting_since=None) == 30


def test_what_nobody_had_in_hand_was_sent_after_the_last_that_somebody_had() -> None:
    attempts = [attempt(40, "live", "b"), attempt(70, "live")]
    assert oldest_seconds(NOON, attempts, visible=3, in_flight=0, waiting_since=None) == 40
    assert oldest_seconds(NOON, attempts, visible=3, in_flight=0, waiting_since=ago(15)) == 15
    assert oldest_seconds(NOON, attempts, visible=3, in_flight=0, waiting_since=ago(300)) == 40


def test_nothing_known_is_nothing_told() -> None:
    assert oldest_seconds(NOON, [], visible=3, in_flight=0, waiting_since=None) is None


@given(
    ages=st.lists(st.floats(0, 1e6), max_size=20),
    visible=st.integers(0, 5),
    in_flight=st.integers(0, 5),
    since=st.none() | st.floats(0, 1e6),
)
def test_ages_are_never_negative_nor_above_the_oldest_that_is_known(
    ages: list[float], visible: int, in_flight: int, since: float | None
) -> None:
    attempts = [attempt(age, None, str(number)) for number, age in enumerate(sorted(ages))]
    waiting_since = None if since is None else ago(since)
    found = oldest_seconds(NOON, attempts, visible=visible, in_flight=in_flight, waiting_since=waiting_since)
    assert found is None or 0 <= found <= max([*ages, since or 0.0]) + 1e-3

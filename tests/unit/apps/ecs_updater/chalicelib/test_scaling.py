"""How many tasks are wanted: alarms, bounds, steps, cool-downs, and what is rather left alone."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest
from ecs_updater.chalicelib.images import BadName
from ecs_updater.chalicelib.model import COOLDOWN, LOWER, MAX, MIN, QUIET, RAISE, SCALED
from ecs_updater.chalicelib.scaling import Alarm, Change, Rules, last_change, want
from ecs_world import NOON
from hypothesis import given
from hypothesis import strategies as st

TAGS = {RAISE: "busy very-busy+3", MIN: "1", MAX: "8"}
STATES = st.sampled_from(["OK", "ALARM", "INSUFFICIENT_DATA"])


def rules(**more: str) -> Rules:
    read = Rules.read({**TAGS, **{f"ecs-updater:{name}": value for name, value in more.items()}})
    assert read
    return read


def alarms(minutes: int = 60, **states: str) -> dict[str, Alarm]:
    since = NOON - timedelta(minutes=minutes)
    return {name.replace("_", "-"): Alarm(state, since) for name, state in states.items()}


QUIET_NOW = alarms(busy="OK", very_busy="OK")


def test_an_alarm_raises_by_its_step_and_the_largest_step_counts() -> None:
    assert want(2, rules(), alarms(busy="ALARM", very_busy="OK"), None, NOON).count == 3
    assert want(2, rules(), alarms(busy="ALARM", very_busy="ALARM"), None, NOON).count == 5
    assert want(7, rules(), alarms(busy="OK", very_busy="ALARM"), None, NOON).count == 8


def test_after_a_change_both_directions_cool_down() -> None:
    moments_ago = Change(NOON - timedelta(seconds=59), 1, 2)
    assert want(2, rules(), alarms(busy="ALARM", very_busy="OK"), moments_ago, NOON).count == 2
    minutes_ago = Change(NOON - timedelta(seconds=61), 1, 2)
    assert want(2, rules(), alarms(busy="ALARM", very_busy="OK"), minutes_ago, NOON).count == 3
    assert "cooling down for 239 s" in want(2, rules(), QUIET_NOW, minutes_ago, NOON).why
    assert want(2, rules(cooldown="60 30"), QUIET_NOW, minutes_ago, NOON).count == 1


def test_quiet_for_a_quarter_of_an_hour_lowers_by_one() -> None:
    assert want(4, rules(), alarms(14, busy="OK", very_busy="OK"), None, NOON).count == 4
    assert want(4, rules(), alarms(15, busy="OK", very_busy="OK"), None, NOON).count == 3
    assert want(4, rules(quiet="60"), alarms(1, busy="OK", very_busy="OK"), None, NOON).count == 3
    assert want(1, rules(), QUIET_NOW, None, NOON).count == 1


def test_alarms_that_lower_must_all_agree_and_one_that_raises_wins() -> None:
    both = rules(lower="idle asleep+2")
    quiet = {**QUIET_NOW, **alarms(1, idle="ALARM", asleep="ALARM")}
    assert want(5, both, quiet, None, NOON).count == 4
    assert want(5, both, {**quiet, **alarms(asleep="OK")}, None, NOON).count == 5
    assert want(5, both, {**quiet, **alarms(busy="ALARM")}, None, NOON).count == 6


@pytest.mark.parametrize(
    ("known", "why"),
    [
        (alarms(busy="OK", very_busy="INSUFFICIENT_DATA"), "no data: very-busy"),
        (alarms(busy="OK"), "no such alarm: very-busy"),
        ({}, "no such alarm: busy, very-busy"),
    ],
)
def test_what_is_not_known_never_lowers(known: dict[str, Alarm], why: str) -> None:
    decision = want(5, rules(), known, None, NOON)
    assert (decision.count, decision.why) == (5, why)


def test_bounds_hold_at_once_but_a_service_that_was_stopped_by_hand_stays_so() -> None:
    assert want(9, rules(), QUIET_NOW, None, NOON).count == 8
    assert want(1, rules(min="3"), QUIET_NOW, None, NOON).count == 3
    stopped = want(0, rules(), alarms(busy="ALARM", very_busy="OK"), None, NOON)
    assert (stopped.count, "by hand" in stopped.why) == (0, True)
    assert want(0, rules(min="0"), alarms(busy="ALARM", very_busy="OK"), None, NOON).count == 1


def test_a_change_that_was_written_down_but_not_made_is_finished_soon_or_decided_anew() -> None:
    intent = Change(NOON - timedelta(seconds=30), 2, 5)
    assert want(2, rules(), QUIET_NOW, intent, NOON).count == 5
    assert want(5, rules(), QUIET_NOW, intent, NOON).count == 5
    assert want(2, rules(), QUIET_NOW, intent, NOON + timedelta(minutes=10)).count == 1


def test_a_change_that_is_dated_in_the_future_neither_cools_down_nor_is_finished() -> None:
    next_year = Change(NOON + timedelta(days=365), 2, 5)
    assert want(2, rules(), alarms(busy="ALARM", very_busy="OK"), next_year, NOON).count == 3
    assert want(2, rules(), QUIET_NOW, next_year, NOON).count == 1
    clocks_differ = Change(NOON + timedelta(seconds=5), 2, 5)
    assert want(2, rules(), QUIET_NOW, clocks_differ, NOON).count == 5


@pytest.mark.parametrize(
    ("tags", "why"),
    [
        ({RAISE: "busy"}, MIN),
        ({**TAGS, MIN: "9"}, "more than"),
        ({**TAGS, MIN: "few"}, "not a number"),
        ({**TAGS, MAX: "99999"}, "not a number from 0 to"),
        ({**TAGS, COOLDOWN: "60"}, "two numbers"),
        ({**TAGS, QUIET: "soon"}, "not a number"),
        ({**TAGS, LOWER: "idle+0"}, "step of 0"),
    ],
)
def test_malformed_tags_are_named(tags: dict[str, str], why: str) -> None:
    with pytest.raises(BadName, match=why.replace("+", r"\+")):
        Rules.read(tags)


def test_a_service_without_alarms_does_not_scale() -> None:
    assert Rules.read({MIN: "1", MAX: "2"}) is None


@given(st.integers(0, 99), st.integers(0, 99))
def test_the_last_change_is_remembered_as_it_was(before: int, after: int) -> None:
    change = Change(NOON, before, after)
    assert last_change({SCALED: str(change)}) == change


@given(st.text(max_size=40))
def test_a_tag_that_somebody_else_wrote_is_no_change(text: str) -> None:
    assert last_change({SCALED: text}) is None or str(last_change({SCALED: text})) == text


@given(st.integers(0, 12), STATES, STATES, STATES, st.integers(0, 30), st.integers(0, 900))
def test_the_count_stays_within_bounds_and_moves_one_way(
    count: int, busy: str, very: str, idle: str, minutes: int, seconds: int
) -> None:
    known = alarms(minutes, busy=busy, very_busy=very, idle=idle)
    last = Change(NOON - timedelta(seconds=seconds), count, count)
    decision = want(count, rules(lower="idle"), known, last, NOON)
    assert decision.why
    assert decision.count == count == 0 or 1 <= decision.count <= 8
    if decision.count < count <= 8:
        assert (busy, very, idle) == ("OK", "OK", "ALARM")
    if count < decision.count:
        assert "ALARM" in (busy, very)


@given(st.lists(st.booleans(), min_size=40, max_size=40))
def test_a_flapping_alarm_changes_the_count_no_faster_than_the_cool_downs(noisy: list[bool]) -> None:
    count, last, changes = 4, None, []
    for minute, loud in enumerate(noisy):
        now = NOON + timedelta(minutes=minute)
        known = {"busy": Alarm("ALARM" if loud else "OK", now), "very-busy": Alarm("OK", NOON - timedelta(hours=1))}
        decision = want(count, rules(cooldown="180 600"), known, last, now)
        if decision.count != count:
            last = Change(now, count, decision.count)
            changes.append(minute)
            count = decision.count
    assert all(later - earlier >= 3 for earlier, later in itertools.pairwise(changes))

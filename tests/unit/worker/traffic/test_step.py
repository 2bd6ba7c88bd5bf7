from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auto_lambda.aws.cloudwatch import VersionCalls as Calls
from builder.protocol.traffic import TrafficMessage
from worker.traffic.step import (
    FEWEST_CALLS,
    Action,
    GoBack,
    Observed,
    Promote,
    Wait,
    Weigh,
    step,
)

CANARY = TrafficMessage(kind="canary", percent=10, interval=600)
LINEAR = TrafficMessage(kind="linear", percent=40, interval=60)
HEALTHY = Calls(100, 0, 10_000.0)


def test_a_canary_gets_its_share_waits_and_takes_all() -> None:
    assert step(CANARY, Observed(0, 0)) == Weigh(10)
    assert step(CANARY, Observed(10, 0)) == Wait(60)
    assert step(CANARY, Observed(10, 590)) == Wait(10)
    assert step(CANARY, Observed(10, 600)) == Promote()


def test_a_linear_shift_grows_after_each_interval() -> None:
    assert step(LINEAR, Observed(0, 0)) == Weigh(40)
    assert step(LINEAR, Observed(40, 10)) == Wait(15)
    assert step(LINEAR, Observed(40, 60)) == Weigh(80)
    assert step(LINEAR, Observed(80, 60)) == Promote()


def test_it_goes_back_when_more_calls_fail_than_may_and_than_of_the_live_version() -> None:
    failing = Observed(10, 600, Calls(50, 1, 5000.0), HEALTHY)
    found = step(CANARY, failing)
    assert isinstance(found, GoBack)
    assert "1 of 50 calls of the new version failed (2.0 %; 1 % may), and 0 of 100" in found.reason
    assert step(CANARY, replace(failing, live=Calls(100, 2, 10_000.0))) == Promote(), "the live version is no better"
    assert step(CANARY.model_copy(update={"errors": 2.0}), failing) == Promote()


def test_it_goes_back_when_calls_take_much_longer() -> None:
    slow = Observed(10, 600, Calls(FEWEST_CALLS, 0, FEWEST_CALLS * 301.0), HEALTHY)
    found = step(CANARY, slow)
    assert isinstance(found, GoBack)
    assert "301 ms on the average, those of the live one 100 ms (3 times as much is allowed)" in found.reason
    few = FEWEST_CALLS - 1
    assert step(CANARY, replace(slow, new=Calls(few, 0, few * 9000.0))) == Promote(), "too few to tell"
    assert step(CANARY, replace(slow, live=Calls(few, 0, few * 10.0))) == Promote()


def test_it_goes_back_when_an_alarm_rings() -> None:
    found = step(CANARY, Observed(10, 5, ringing=("shop-5xx: 3 datapoints were above",)))
    assert found == GoBack("an alarm rings: shop-5xx: 3 datapoints were above")


def test_nobody_calls_and_time_goes_on() -> None:
    assert step(CANARY, Observed(10, 600)) == Promote()


# -- a model: looks at random moments, health that changes, workers that are killed between any two moments

Step = Callable[[TrafficMessage, Observed], Action]


@dataclass
class World:
    """The alias, and what is written down about it. A killed worker may have changed one and not the other."""

    alias: int = 0
    noted: int = 0
    since: float = 0.0
    now: float = 0.0
    over: str = ""
    shares: list[tuple[float, int]] = field(default_factory=list)


class Bad(AssertionError):
    """Something that must not happen."""


def look(plan: TrafficMessage, world: World, healthy: bool, killed: bool, decide: Step) -> None:
    """One look of some worker; killed after so many effects."""
    world.alias = world.noted  # what is noted holds: a killed worker may have noted it, and not done it
    new = Calls(10, 0) if healthy else Calls(10, 5)
    observed = Observed(world.noted, world.now - world.since, new if world.noted else Calls())
    action = decide(plan, observed)
    judge(plan, observed, action)
    match action:
        case Weigh(percent):
            world.noted, world.since = percent, world.now
            if not killed:
                world.alias = percent
                world.shares.append((world.now, percent))
        case Promote() if not killed:
            world.over = "promoted"
        case GoBack():
            world.alias = 0
            world.over = "" if killed else "back"


def judge(plan: TrafficMessage, observed: Observed, action: Action) -> None:
    """Raise `Bad` for what must not happen, by rules of its own."""
    failing = observed.new.errors > 0
    if isinstance(action, Weigh | Promote):
        if failing:
            raise Bad("the share grew while calls failed")
        if observed.weight and observed.elapsed < plan.interval:
            raise Bad("the share grew too early")
    if isinstance(action, Promote) and not observed.weight:
        raise Bad("it took all traffic without a share before")
    if isinstance(action, Weigh) and not observed.weight < action.percent < 100:
        raise Bad("the share did not grow")
    if isinstance(action, Wait) and not 0 < action.seconds <= plan.interval:
        raise Bad(f"it waits {action.seconds} s")


plans = st.builds(
    lambda kind, percent, interval: TrafficMessage(kind=kind, percent=percent, interval=interval),
    st.sampled_from(["canary", "linear"]), st.integers(1, 99), st.integers(5, 3600),
)  # fmt: skip
looks = st.lists(st.tuples(st.floats(0, 4000), st.booleans(), st.booleans()), max_size=40)


def run(plan: TrafficMessage, moments: list[tuple[float, bool, bool]], decide: Step) -> World:
    world = World()
    for pause, healthy, killed in moments:
        world.now += pause
        look(plan, world, healthy, killed, decide)
        if world.over:
            break
    return world


@given(plans, looks)
def test_no_share_grows_early_or_while_something_is_wrong(
    plan: TrafficMessage, moments: list[tuple[float, bool, bool]]
) -> None:
    world = run(plan, moments, step)
    assert [percent for _, percent in world.shares] == sorted(percent for _, percent in world.shares)
    assert world.over != "back" or world.alias == 0


@given(plans)
def test_a_healthy_release_takes_all_traffic_in_the_time_that_its_shares_take(plan: TrafficMessage) -> None:
    steps = 1 if plan.kind == "canary" else -(-100 // plan.percent) - 1
    world = run(plan, [(plan.interval, True, False)] * (steps + 1), step)
    assert world.over == "promoted"
    assert len(world.shares) == steps


def by_the_clock(plan: TrafficMessage, observed: Observed) -> Action:
    """A twin that looks at the clock first, and at what is wrong only while it waits."""
    found = step(plan, replace(observed, new=Calls(), ringing=()))
    return step(plan, observed) if isinstance(found, Wait) else found


def impatient(plan: TrafficMessage, observed: Observed) -> Action:
    """A twin that takes a share for a reason to go on."""
    return Promote() if observed.weight else step(plan, observed)


@pytest.mark.parametrize("twin", [by_the_clock, impatient])
def test_the_model_catches(twin: Step) -> None:
    @settings(max_examples=300, database=None, report_multiple_bugs=False)
    @given(plans, looks)
    def broken(plan: TrafficMessage, moments: list[tuple[float, bool, bool]]) -> None:
        run(plan, moments, twin)

    with pytest.raises(Bad):
        broken()

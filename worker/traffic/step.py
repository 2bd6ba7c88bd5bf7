"""What to do next while traffic is shifting. Pure: what was observed comes in, one action goes out."""

from __future__ import annotations

from dataclasses import dataclass

from auto_lambda.aws.cloudwatch import VersionCalls
from builder.protocol.traffic import TrafficMessage

NO_CALLS = VersionCalls()
FEWEST_CALLS = 20
"""Calls of each version from which on their durations are compared: a few cold starts say nothing."""
_SHORTEST_LOOK, _LONGEST_LOOK = 2.0, 60.0  # seconds between two looks at metrics and alarms
_LOOKS = 4  # in an interval, at least


@dataclass(frozen=True, slots=True)
class Observed:
    """What is known at one look.

    Attributes:
        weight: the new version's share in percent; 0 before the first step.
        elapsed: seconds since it has that share.
        new: calls of the new version since the shift began.
        live: those of the version that was live.
        ringing: alarms that ring, each with CloudWatch's reason.
    """

    weight: int
    elapsed: float
    new: VersionCalls = NO_CALLS
    live: VersionCalls = NO_CALLS
    ringing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Wait:
    """Look again in ``seconds``."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Weigh:
    """Give the new version a share of ``percent``."""

    percent: int


@dataclass(frozen=True, slots=True)
class Promote:
    """Give the new version all calls."""


@dataclass(frozen=True, slots=True)
class GoBack:
    """Give all calls to the version that was live. ``reason`` is for the receipt."""

    reason: str


Action = Wait | Weigh | Promote | GoBack


def step(plan: TrafficMessage, observed: Observed) -> Action:
    """Decide what to do.

    Health comes first: whatever time it is, no share grows while something is wrong.
    """
    if reason := complaint(plan, observed):
        return GoBack(reason)
    if observed.weight == 0:
        return Weigh(plan.percent)
    left = plan.interval - observed.elapsed
    if left > 0:
        return Wait(min(left, look_seconds(plan)))
    grown = observed.weight + plan.percent
    return Promote() if plan.kind == "canary" or grown >= 100 else Weigh(grown)


def look_seconds(plan: TrafficMessage) -> float:
    """Return the time between two looks."""
    return min(max(plan.interval / _LOOKS, _SHORTEST_LOOK), _LONGEST_LOOK)


def complaint(plan: TrafficMessage, observed: Observed) -> str | None:
    """Return what is wrong with the new version; None if nothing is."""
    new, live = observed.new, observed.live
    if observed.ringing:
        return f"an alarm rings: {observed.ringing[0]}"
    if new.rate > plan.errors and new.rate > live.rate:
        return (
            f"{new.errors} of {new.count} calls of the new version failed ({new.rate:.1f} %; {plan.errors:g} % may), "
            f"and {live.errors} of {live.count} of the live one"
        )
    if min(new.count, live.count) >= FEWEST_CALLS and new.average > plan.slower * live.average:
        return (
            f"calls of the new version take {new.average:.0f} ms on the average, those of the live one "
            f"{live.average:.0f} ms ({plan.slower:g} times as much is allowed)"
        )
    return None

"""Decides what happens next to one app: a pure function of what was observed and the clock.

One transition at a time, from where the app is, by where its traffic is:

=========================  ======================  =================================================================
phase, Fargate's weight    traffic is answered by  what happens next
=========================  ======================  =================================================================
lambda, 0                  Lambda                  demand high, cooled down: to both, 0 (tasks come up)
both, 0                    Lambda                  demand high, tasks healthy and answering: to both, 100;
                                                   demand not high: to lambda, after twice the TTL and the cool-down
both, 1 to 99              both                    demand not low, tasks healthy: to both, 100; else to both, 0
both, 100                  Fargate                 to fargate, after twice the TTL
fargate, 100               Fargate                 demand low, cooled down: to both, 0
both or fargate, above 0   nobody: no healthy task to both, 0, at once
=========================  ======================  =================================================================

Which alarm counts follows from where the traffic is: Lambda's load tells whether demand is high, the load balancer's
whether it is low. Between the two thresholds nothing is begun. Mode up and down overrule the alarms and the cool-down.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum

from .model import ALARM, AUTO, BOTH, DOWN, FARGATE, LAMBDA, OK, PAUSE, UP, Attempt, Flex, History, Tasks

_HOUR = timedelta(hours=1)
_FAILED_CREATION = ("CREATE_FAILED", "ROLLBACK_FAILED", "ROLLBACK_COMPLETE")
_USABLE = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")


@dataclass(frozen=True, slots=True)
class Observed:
    """All that is known of an app.

    Attributes:
        flex: its flex stack.
        history: what that stack's events tell.
        tasks: those of its service.
        high, low: the states of the alarms, empty if there is no such alarm.
        answers: whether the load balancer has answered just now.
        trouble: why it has not.
    """

    flex: Flex
    history: History
    tasks: Tasks = field(default_factory=Tasks)
    high: str = ""
    low: str = ""
    answers: bool = False
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Move:
    """A transition. ``rescue``: the traffic leaves tasks that do not answer."""

    phase: str
    weight: int
    why: str
    rescue: bool = False


@dataclass(frozen=True, slots=True)
class Stay:
    """No transition now. ``at``: the earliest time of the next one, if it is known. ``stuck``: a person has to look."""

    why: str
    at: datetime | None = None
    stuck: bool = False


Action = Move | Stay


class Wish(Enum):
    """Where an app should be."""

    LAMBDA = "lambda"
    FARGATE = "fargate"
    HERE = "here"
    UNKNOWN = "unknown"


def step(seen: Observed, now: datetime) -> Action:
    """Decide what happens next."""
    if (waiting := _unusable(seen, now)) is not None:
        return waiting
    action = _next(seen, now)
    if isinstance(action, Stay) or action.rescue:
        return action
    return _held_back(seen, action, now) or action


def wish(seen: Observed) -> Wish:
    """Return where the app should be, as a person or the alarms say."""
    if seen.flex.mode != AUTO:
        return {UP: Wish.FARGATE, DOWN: Wish.LAMBDA, PAUSE: Wish.HERE}[seen.flex.mode]
    state, side = (seen.low, Wish.LAMBDA) if seen.flex.weight else (seen.high, Wish.FARGATE)
    return {ALARM: side, OK: Wish.HERE}.get(state, Wish.UNKNOWN)


def _unusable(seen: Observed, now: datetime) -> Stay | None:
    """Return why nothing can be done to the stack, None if something can."""
    flex = seen.flex
    if flex.busy:
        late = now - flex.updated > 2 * flex.settings.patience
        told = f"; ECS says: {seen.tasks.said}" if seen.tasks.said else ""
        return Stay(f"CloudFormation is at work ({flex.status}){told}", stuck=late)
    if flex.status in _FAILED_CREATION:
        return Stay(f"the flex stack could not be created ({flex.status}): drop the app again", stuck=True)
    if flex.status not in _USABLE:
        return Stay(f"the flex stack is stuck ({flex.status}): {seen.history.failure or 'see its events'}", stuck=True)
    if flex.mode == PAUSE:
        return Stay("paused by hand: `auto-lambda flex auto` ends it")
    return None


def _next(seen: Observed, now: datetime) -> Action:
    flex = seen.flex
    if flex.phase == LAMBDA:
        return _from_lambda(seen)
    if flex.weight and seen.tasks.healthy == 0:
        return Move(BOTH, 0, "no task is healthy: the traffic goes back to Lambda", rescue=True)
    if flex.phase == FARGATE:
        return _from_fargate(seen)
    return _from_both(seen, now)


def _from_lambda(seen: Observed) -> Action:
    wanted = wish(seen)
    if wanted is Wish.FARGATE:
        return Move(BOTH, 0, f"{_because(seen)}: tasks come up")
    if wanted is Wish.UNKNOWN:
        return Stay("the alarm of high demand has no data")
    return Stay("kept on Lambda by hand" if seen.flex.mode == DOWN else "demand is not high")


def _from_fargate(seen: Observed) -> Action:
    wanted = wish(seen)
    if wanted is Wish.LAMBDA:
        return Move(BOTH, 0, f"{_because(seen)}: the traffic goes to Lambda")
    if wanted is Wish.UNKNOWN:
        return Stay("the alarm of low demand has no data")
    return Stay("kept on Fargate by hand" if seen.flex.mode == UP else "demand is not low")


def _from_both(seen: Observed, now: datetime) -> Action:
    flex, wanted = seen.flex, wish(seen)
    if flex.weight == 0:
        return _without_traffic(seen, wanted, now)
    if flex.weight < 100:
        if wanted is Wish.LAMBDA:
            return Move(BOTH, 0, f"{_because(seen)}: the traffic goes to Lambda")
        return _to_tasks(seen, now)
    if flex.mode == DOWN:
        return Move(BOTH, 0, "asked for by hand: the traffic goes to Lambda")
    return _after(seen, flex.settings.drain, now, Move(FARGATE, 100, "the traffic has moved to Fargate"))


def _without_traffic(seen: Observed, wanted: Wish, now: datetime) -> Action:
    if wanted is Wish.FARGATE:
        return _to_tasks(seen, now)
    if wanted is Wish.UNKNOWN:
        return Stay("the alarm of high demand has no data")
    settings = seen.flex.settings
    wait = settings.drain if seen.flex.mode == DOWN else max(settings.drain, settings.cool_down)
    return _after(seen, wait, now, Move(LAMBDA, 0, "no client asks the load balancer any more: it is removed"))


def _to_tasks(seen: Observed, now: datetime) -> Action:
    """Move all traffic to the tasks if they can take it."""
    tasks, settings = seen.tasks, seen.flex.settings
    late = now - seen.history.settled > settings.patience
    if tasks.healthy is None:
        return Stay("the health of the tasks is not known", stuck=late)
    if tasks.healthy < settings.min_tasks:
        told = f"; ECS says: {tasks.said}" if tasks.said else ""
        return Stay(f"{tasks.healthy} of {settings.min_tasks} tasks are healthy: no traffic moves{told}", stuck=late)
    if not seen.answers:
        told = f" ({seen.trouble})" if seen.trouble else ""
        return Stay(f"the load balancer does not answer yet: no traffic moves{told}", stuck=late)
    return Move(BOTH, 100, f"{_because(seen)}, and {tasks.healthy} tasks are healthy: the traffic goes to Fargate")


def _after(seen: Observed, wait: timedelta, now: datetime, move: Move) -> Action:
    at = seen.history.settled + wait
    return move if now >= at else Stay(f"clients may still hold the old record: next to {_named(move)}", at)


def _held_back(seen: Observed, move: Move, now: datetime) -> Stay | None:
    """Return why a transition has to wait though it is wanted, None if it has not."""
    attempts, settings = seen.history.attempts, seen.flex.settings
    if seen.flex.status == "UPDATE_ROLLBACK_COMPLETE" and now < (at := seen.history.settled + settings.cool_down):
        reason = seen.history.failure or "see the stack's events"
        return Stay(f"the last update failed and was taken back ({reason}): next try of {_named(move)}", at)
    recent = [one.began for one in attempts if now - one.began < _HOUR]
    if len(recent) >= settings.per_hour:
        at = sorted(recent)[-settings.per_hour] + _HOUR
        return Stay(f"{settings.per_hour} transitions in an hour are the most: next to {_named(move)}", at)
    if attempts and attempts[0].rescue and now < (at := _end(attempts[0]) + settings.cool_down):
        return Stay(f"the tasks were not healthy: next to {_named(move)}", at)
    leaves_rest = seen.flex.phase != BOTH and seen.flex.mode == AUTO
    if leaves_rest and attempts and now < (at := _end(attempts[0]) + settings.cool_down):
        return Stay(f"cooling down: next to {_named(move)}", at)
    return None


def _end(attempt: Attempt) -> datetime:
    return attempt.ended or attempt.began


def _because(seen: Observed) -> str:
    if seen.flex.mode != AUTO:
        return "asked for by hand"
    return "demand is low" if seen.flex.weight else "demand is high"


def _named(move: Move) -> str:
    return f"{move.phase} with {move.weight} % of the traffic on Fargate" if move.phase == BOTH else move.phase

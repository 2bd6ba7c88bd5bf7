"""A small world for the controller's tests: one app, its stack, its tasks, its clients' resolvers, and a clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from flex_controller.chalicelib.model import Attempt, Flex, History, Settings, Tasks
from flex_controller.chalicelib.step import Action, Move, Observed, step

NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)
ARN = "arn:aws:cloudformation:eu-west-1:111122223333:stack/al-Flex-shop-dev/1"
Step = Callable[[Observed, datetime], Action]


def observed(phase: str = "lambda", weight: int = 0, **more: Any) -> Observed:
    """What is seen of an app: ``ago`` seconds since its stack settled, ``healthy`` tasks, and parts by their names."""
    settings = Settings(**more.pop("settings", {}))
    settled = NOON - timedelta(seconds=more.pop("ago", 3600))
    healthy = more.pop("healthy", 0)
    flex = Flex(
        ARN, "al-Flex-shop-dev", more.pop("status", "UPDATE_COMPLETE"), phase, weight, more.pop("mode", "auto"),
        more.pop("updated", settled), settings,
    )  # fmt: skip
    history = History(settled, more.pop("attempts", ()), more.pop("failure", ""), more.pop("leftovers", ()))
    return Observed(flex, history, Tasks(healthy, said=more.pop("said", "")), **more)


def attempt(seconds_ago: float, phase: str = "both", weight: int = 0, **more: Any) -> Attempt:
    when = NOON - timedelta(seconds=seconds_ago)
    return Attempt(when, phase, weight, when, **more)


class Wrong(AssertionError):
    """The controller has done what it must never do."""


@dataclass
class World:
    """Lets a controller act on an app, and judges each of its moves by what clients and people see of it.

    Attributes:
        decide: the controller's function, or a broken twin of it.
        settings: the app's.
        fails, lasts: how the next operations of CloudFormation go.
        weights: every weight that clients may have been told, with the moment from which it was told.
    """

    decide: Step = step
    settings: Settings = field(
        default_factory=lambda: Settings(
            ttl=timedelta(seconds=60), cool_down=timedelta(seconds=300), per_hour=6, min_tasks=2, max_tasks=8
        )
    )
    now: datetime = NOON
    phase: str = "lambda"
    weight: int = 0
    mode: str = "auto"
    status: str = "CREATE_COMPLETE"
    demand: str = "middle"
    alarms_known: bool = True
    healthy: int = 0
    answers: bool = True
    fails: bool = False
    lasts: timedelta = timedelta(0)
    settled: datetime = NOON
    updated: datetime = NOON
    attempts: list[Attempt] = field(default_factory=list)
    weights: list[tuple[datetime, int]] = field(default_factory=lambda: [(NOON, 0)])
    moves: list[Move] = field(default_factory=list)
    _pending: Move | None = None
    _until: datetime = NOON

    def see(self) -> Observed:
        flex = Flex(
            ARN, "al-Flex-shop-dev", self.status, self.phase, self.weight, self.mode, self.updated, self.settings
        )
        history = History(self.settled, tuple(self.attempts), "Service: it failed" if "ROLLBACK" in self.status else "")
        tasks = Tasks(self.healthy if self.phase != "lambda" else 0)
        high = "ALARM" if self.demand == "high" and self.weight == 0 else "OK"
        low = "ALARM" if self.weight == 0 or self.demand == "low" else "OK"
        if not self.alarms_known:
            high = low = "INSUFFICIENT_DATA"
        return Observed(flex, history, tasks, high, low, self.answers and self.phase != "lambda")

    def pass_by(self, seconds: float) -> None:
        """Let time pass; CloudFormation ends what it is at."""
        self.now += timedelta(seconds=seconds)
        if self._pending and self.now >= self._until:
            self._end(self._pending)

    def tick(self) -> Action:
        """Let the controller act once."""
        seen = self.see()
        action = self.decide(seen, self.now)
        if isinstance(action, Move):
            self._judge(seen, action)
            self._begin(action)
        return action

    def drop(self) -> None:
        """The pipeline deploys the app: the stack is updated, its parameters stay."""
        if self._pending is None:
            self.status, self.updated, self.settled = "UPDATE_COMPLETE", self.now, self.now

    def _begin(self, move: Move) -> None:
        self.moves.append(move)
        self.attempts.insert(0, Attempt(self.now, move.phase, move.weight, rescue=move.rescue))
        self.status, self.updated, self.settled = "UPDATE_IN_PROGRESS", self.now, self.now
        if not self.fails and move.weight != self.weight:
            self.weights.append((self.now, move.weight))  # at some moment of the operation
        self._pending, self._until = move, self.now + self.lasts
        if not self.lasts:
            self._end(move)

    def _end(self, move: Move) -> None:
        self._pending = None
        self.settled = max(self._until, self.updated)
        self.attempts[0] = replace(self.attempts[0], ended=self.settled, failed=self.fails)
        self.status = "UPDATE_ROLLBACK_COMPLETE" if self.fails else "UPDATE_COMPLETE"
        if move.weight != self.weight:
            self._end_of_weights(move)
        if not self.fails:
            self.phase, self.weight = move.phase, move.weight

    def _end_of_weights(self, move: Move) -> None:
        """The traffic is where the operation has left it; meanwhile it may have been where the move wanted it."""
        moved = self.weights[-1][1] == move.weight
        if self.fails:
            self.weights += [(self.settled, self.weight)] if moved else []
        elif moved:
            self.weights[-1] = (self.settled, move.weight)
        else:
            self.weights.append((self.settled, move.weight))

    # ------------------------------------------------------------------------------------------- judgement

    def _judge(self, seen: Observed, move: Move) -> None:
        if self.mode == "pause":
            raise Wrong("moved though it is paused")
        if seen.flex.busy:
            raise Wrong("moved while CloudFormation is at work")
        if (self.phase, move.phase) not in _EDGES:
            raise Wrong(f"{self.phase} to {move.phase} is not one step")
        if move.weight > self.weight and (self.healthy < self.settings.min_tasks or not self.answers):
            raise Wrong("traffic moved to tasks that are not healthy")
        if move.phase == "lambda" and any(self._held()):
            raise Wrong("the load balancer was removed while a client may hold its address")
        if move.phase == "lambda" and move.weight != 0:
            raise Wrong("traffic to what is removed")
        if move.phase == "fargate" and (move.weight != 100 or 0 in self._held()):
            raise Wrong("left both while a client may hold Lambda's address")
        if not move.rescue:
            self._judge_pace(move)

    def _judge_pace(self, move: Move) -> None:
        hour = [one for one in self.attempts if self.now - one.began < timedelta(hours=1)]
        if len(hour) >= self.settings.per_hour:
            raise Wrong(f"{len(hour) + 1} transitions within an hour")
        rest = self.attempts and self.mode == "auto" and self.phase != "both"
        if rest and self.now - (self.attempts[0].ended or self.now) < self.settings.cool_down:
            raise Wrong(f"went to {move.phase} before it had cooled down")
        if self.status == "UPDATE_ROLLBACK_COMPLETE" and self.now - self.settled < self.settings.cool_down:
            raise Wrong("tried again at once what had failed")

    def _held(self) -> set[int]:
        """Every weight that a client may act on, with a resolver that keeps a record for twice its TTL."""
        oldest = self.now - 2 * self.settings.ttl
        before = [weight for when, weight in self.weights if when <= oldest]
        return {*before[-1:], *(weight for when, weight in self.weights if when > oldest)}


_EDGES = {("lambda", "both"), ("both", "both"), ("both", "fargate"), ("both", "lambda"), ("fargate", "both")}

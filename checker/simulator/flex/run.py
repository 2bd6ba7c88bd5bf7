"""Runs a demand under each strategy: Lambda only, Fargate only, and flex."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from checker.simulator.flex.fronts import USE, FargateFront, LambdaFront
from checker.simulator.flex.model import (
    Controller,
    FlexApp,
    FlexOutcome,
    Front,
    Minute,
    Thresholds,
    Transition,
    View,
)
from checker.simulator.flex.prices import balancer_hour, request_cost, task_hour

UP_MINUTES = 4  # that CloudFormation takes to make network, load balancer and service
CHANGE_MINUTES = 1  # for a change of a parameter, and to delete it all


def lambda_only(demand: Sequence[float], app: FlexApp) -> FlexOutcome:
    """Serve everything on Lambda."""
    front = LambdaFront(app)
    minutes = [Minute(one, "lambda", 0.0, 0, one * 60 * request_cost(app), front.minute(one)) for one in demand]
    return FlexOutcome("lambda", minutes)


def fargate_only(demand: Sequence[float], app: FlexApp, thresholds: Thresholds) -> FlexOutcome:
    """Serve everything on Fargate, with autoscaling."""
    front = FargateFront(app, thresholds)
    fit = math.ceil(demand[0] / app.per_task / USE) if demand else 0
    front.begin(min(max(fit, thresholds.min_tasks), thresholds.max_tasks))
    minutes = []
    for one in demand:
        latencies, failed = front.minute(one)
        cost = (balancer_hour(one) + front.paid * task_hour(app)) / 60
        minutes.append(Minute(one, "fargate", 1.0, front.paid, cost, latencies, failed))
    return FlexOutcome("fargate", minutes)


def flex(demand: Sequence[float], app: FlexApp, thresholds: Thresholds, controller: Controller) -> FlexOutcome:
    """Serve where the controller moves it."""
    world = _Flexing(app, thresholds, controller)
    return FlexOutcome("flex", [world.minute(number, one) for number, one in enumerate(demand)])


@dataclass
class _Flexing:
    app: FlexApp
    thresholds: Thresholds
    controller: Controller
    phase: Front = "lambda"
    weight: int = 0
    share: float = 0.0
    settled: int = -(10**6)
    busy_until: int = -1
    coming: Transition | None = None
    moves: deque[int] = field(default_factory=lambda: deque(maxlen=50))
    seen: deque[float] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self.functions = LambdaFront(self.app)
        self.tasks = FargateFront(self.app, self.thresholds)
        self.seen = deque(maxlen=max(self.thresholds.up_after, self.thresholds.down_after))

    def minute(self, now: int, demand: float) -> Minute:
        if self.coming and now >= self.busy_until:
            self._arrive(self.coming, now)
        self._spread()
        latencies = self.functions.minute(demand * (1 - self.share))
        there, failed = self.tasks.minute(demand * self.share) if self.tasks.tasks else ([], 0.0)
        cost = demand * (1 - self.share) * 60 * request_cost(self.app)
        stands = self.phase != "lambda" or (self.coming is not None and self.coming.phase != "lambda")
        if stands:
            cost += (balancer_hour(demand * self.share) + self.tasks.paid * task_hour(self.app)) / 60
        self.seen.append(demand)
        if self.coming is None:
            self._ask(now)
        return Minute(demand, self.phase, self.share, self.tasks.paid, cost, [*latencies, *there], failed)

    def _spread(self) -> None:
        """Let resolvers follow the weights: evenly within the TTL, the slow ones within twice of it."""
        wanted = self.weight / 100
        pace = min(1.0, 60 / (2 * self.thresholds.ttl_seconds)) if self.thresholds.ttl_seconds else 1.0
        self.share += max(-pace, min(pace, wanted - self.share))

    def _ask(self, now: int) -> None:
        recent = list(self.seen)
        high = recent[-self.thresholds.up_after :]
        low = recent[-self.thresholds.down_after :]
        view = View(
            now, self.phase, self.weight, self.settled, tuple(reversed(self.moves)),
            len(high) == self.thresholds.up_after and min(high) > self.thresholds.above,
            len(low) == self.thresholds.down_after and max(low) < self.thresholds.below,
            self.tasks.tasks, self.thresholds,
        )  # fmt: skip
        move = self.controller(view)
        if move:
            self.coming = move
            self.moves.append(now)
            self.busy_until = now + (UP_MINUTES if self.phase == "lambda" else CHANGE_MINUTES)

    def _arrive(self, move: Transition, now: int) -> None:
        if self.phase == "lambda":
            self.tasks.begin(self.thresholds.min_tasks)
        if move.phase == "lambda":
            self.tasks.begin(0)
            self.share = 0.0
        self.phase, self.weight, self.settled, self.coming = move.phase, move.weight, now, None

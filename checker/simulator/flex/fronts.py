"""The two fronts, a minute at a time: how long requests take, and how many instances or tasks there are."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

from checker.simulator.flex.model import FlexApp, Thresholds

API_SECONDS = 0.012  # an API adds
BALANCER_SECONDS = 0.003
WARM_MINUTES = 10  # that an instance stays after its last request
SLOWEST = 29.0  # seconds after which clients get an error
USE = 0.6  # of a task's CPU, at which autoscaling aims
OUT_AFTER, IN_AFTER = 3, 15  # datapoints of target tracking
TASK_MINUTES = 1  # until a new task takes requests

Latencies = list[tuple[float, float]]


@dataclass
class LambdaFront:
    """Functions: an instance for each request in progress; those that nobody needs are gone after a while."""

    app: FlexApp
    warm: deque[int] = field(default_factory=lambda: deque(maxlen=WARM_MINUTES))

    def minute(self, demand: float) -> Latencies:
        """Serve a minute of a demand in requests per second."""
        busy = demand * self.app.seconds
        needed = math.ceil(busy + 3 * math.sqrt(busy)) if demand else 0  # bursts within the minute
        new = max(0, needed - max(self.warm, default=0))
        self.warm.append(needed)
        requests = demand * 60
        cold = min(float(new), requests)
        plain = self.app.seconds + API_SECONDS
        return [(plain, requests - cold), (plain + self.app.cold, cold)]


@dataclass
class FargateFront:
    """Tasks behind a load balancer, as target tracking scales them."""

    app: FlexApp
    thresholds: Thresholds
    tasks: int = 0
    starting: deque[int] = field(default_factory=deque)
    waiting: float = 0.0
    uses: deque[float] = field(default_factory=lambda: deque(maxlen=IN_AFTER))

    def begin(self, tasks: int) -> None:
        """Start with so many tasks; none is the end."""
        self.tasks, self.waiting = tasks, 0.0
        self.starting.clear()
        self.uses.clear()

    @property
    def paid(self) -> int:
        """All tasks, also those that start."""
        return self.tasks + sum(self.starting)

    def minute(self, demand: float) -> tuple[Latencies, float]:
        """Serve a minute; returns the latencies and how many requests failed."""
        if len(self.starting) >= TASK_MINUTES:
            self.tasks += self.starting.popleft()
        capacity = self.tasks * self.app.per_task
        load = demand + self.waiting / 60
        served = min(load, capacity)
        self.waiting = (load - served) * 60
        most = capacity * SLOWEST  # what waits for longer gets an error
        failed = max(0.0, self.waiting - most)
        self.waiting -= failed
        self._scale(load / capacity if capacity else 0.0)
        behind = self.waiting / capacity if capacity else 0.0
        return [(self._seconds(served, capacity) + behind, served * 60)], failed

    def _seconds(self, served: float, capacity: float) -> float:
        """Return how long a request takes, with its queue: Sakasegawa's formula for many servers."""
        servers = max(1, self.tasks * self.app.processes)
        use = min(served / capacity if capacity else 0.0, 0.99)
        queue: float = use ** (math.sqrt(2 * (servers + 1)) - 1) / (servers * (1 - use))
        return self.app.seconds * (1 + queue) + BALANCER_SECONDS

    def _scale(self, use: float) -> None:
        self.uses.append(use)
        wanted = math.ceil(round(self.tasks * use / USE, 9))
        recent = list(self.uses)[-OUT_AFTER:]
        more = len(recent) == OUT_AFTER and min(recent) > USE
        less = len(self.uses) == IN_AFTER and max(self.uses) < USE * 0.9
        bounds = self.thresholds
        target = min(max(wanted, bounds.min_tasks), bounds.max_tasks)
        if more and target > self.paid:
            self.starting.append(target - self.paid)
        elif self.starting:
            self.starting.append(0)
        if less and target < self.tasks:
            self.tasks = target

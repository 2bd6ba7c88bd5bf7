"""What is simulated: an app, its settings, and what a minute brought. Times are in minutes, unless they say seconds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

Front = Literal["lambda", "both", "fargate"]


@dataclass(frozen=True, slots=True)
class FlexApp:
    """An app, as it behaves on both fronts.

    Attributes:
        seconds: that a request takes without waiting.
        busy: the CPU seconds of a request, on one vCPU.
        memory: of the function, in MB.
        cold: seconds that a cold start adds.
        api: the kind of API in front of the function.
        cpu: units of a task; 1024 are one vCPU.
        task_memory: of a task, in MB.
        processes: requests that a task serves at the same time.
        architecture: of both fronts.
    """

    seconds: float = 0.1
    busy: float = 0.02
    memory: int = 512
    cold: float = 1.0
    api: Literal["http", "rest"] = "http"
    cpu: int = 512
    task_memory: int = 1024
    processes: int = 16
    architecture: Literal["x86_64", "arm64"] = "x86_64"

    @property
    def per_task(self) -> float:
        """The requests per second that use up a task."""
        return min(self.cpu / 1024 / self.busy, self.processes / self.seconds)


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The settings of ``[flex]``: requests per second, minutes, tasks."""

    above: float = 100.0
    below: float = 50.0
    up_after: int = 3
    down_after: int = 15
    min_tasks: int = 2
    max_tasks: int = 50
    ttl_seconds: float = 60.0
    cool_down: int = 10
    per_hour: int = 12


@dataclass(frozen=True, slots=True)
class View:
    """What the controller sees at the end of a minute.

    Attributes:
        now: the minute.
        phase, weight: the flex stack's parameters.
        settled: when its last operation ended.
        moves: when each transition began, newest first.
        high, low: whether the alarms ring.
        healthy: the tasks that take requests.
    """

    now: int
    phase: Front
    weight: int
    settled: int
    moves: tuple[int, ...]
    high: bool
    low: bool
    healthy: int
    thresholds: Thresholds


@dataclass(frozen=True, slots=True)
class Transition:
    """A change of the flex stack's parameters."""

    phase: Front
    weight: int


Controller = Callable[[View], Transition | None]


@dataclass(frozen=True, slots=True)
class Minute:
    """What happened in a minute.

    Attributes:
        demand: requests per second.
        phase: of the flex stack.
        share: of the requests that Fargate answered.
        tasks: that exist.
        cost: dollars.
        latencies: seconds, with the number of requests that took so long.
        failed: requests that nobody could answer in time.
    """

    demand: float
    phase: Front
    share: float
    tasks: int
    cost: float
    latencies: Sequence[tuple[float, float]]
    failed: float = 0.0


@dataclass(frozen=True, slots=True)
class FlexOutcome:
    """A run under one strategy."""

    strategy: str
    minutes: Sequence[Minute]

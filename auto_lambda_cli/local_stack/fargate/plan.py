"""What the fake Fargate does next. Pure: services and tasks in, actions out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from math import ceil

GONE = "gone"
"""The health of a task whose target group does not know it any more: nothing comes from there."""

FEWEST_FAILURES = 3
"""ECS's circuit breaker ends a deployment after half as many failures as there should be tasks, at least three."""


@dataclass(frozen=True, slots=True)
class FargateService:
    """A service as ECS describes it.

    Attributes:
        arn: its name in AWS.
        definition: ARN of the task definition that its tasks should have.
        desired: how many tasks it should have.
        group: ARN of the target group; empty without a load balancer.
        port: of the container, which is registered.
        grace: seconds for which a new task may be unhealthy.
        delay: seconds that a task that leaves the target group has for its requests in flight.
    """

    arn: str
    definition: str
    desired: int
    group: str = ""
    port: int = 8080
    grace: float = 0.0
    delay: float = 0.0


class Phase(Enum):
    """The life of a task: it runs, it gets no new requests, it was told to end."""

    RUNNING = "running"
    DRAINING = "draining"
    STOPPING = "stopping"


@dataclass(frozen=True, slots=True)
class FargateTask:
    """A process. ``since``: when its phase began; ``stop``: the seconds from SIGTERM to SIGKILL."""

    id: str
    service: FargateService
    phase: Phase
    since: float
    health: str = "initial"
    stop: float = 30.0

    @property
    def healthy(self) -> bool:
        """Whether it takes requests; without a load balancer every task that runs does."""
        return self.phase is Phase.RUNNING and (self.health == "healthy" or not self.service.group)


@dataclass(frozen=True, slots=True)
class StartTask:
    """Start a task of a service."""

    service: FargateService


@dataclass(frozen=True, slots=True)
class Drain:
    """Take a task out of its target group. ``failed``: it never became healthy, or no longer is."""

    task: FargateTask
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Terminate:
    """Send SIGTERM."""

    task: FargateTask


@dataclass(frozen=True, slots=True)
class Kill:
    """Send SIGKILL."""

    task: FargateTask


Action = StartTask | Drain | Terminate | Kill


def plan(
    services: Sequence[FargateService],
    tasks: Sequence[FargateTask],
    failures: Mapping[tuple[str, str], int],
    now: float,
) -> list[Action]:
    """Return what to do now.

    Args:
        services: those that exist.
        tasks: all tasks, also of services that are gone.
        failures: how many tasks have failed, by service and task definition.
        now: seconds, on the clock of the tasks.
    """
    actions: list[Action] = []
    for service in services:
        own = [task for task in tasks if task.service.arn == service.arn and task.phase is Phase.RUNNING]
        actions += _converge(service, own, failures.get((service.arn, service.definition), 0), now)
    exist = {service.arn for service in services}
    actions += [Drain(task) for task in tasks if task.phase is Phase.RUNNING and task.service.arn not in exist]
    return actions + list(_ends(tasks, now))


def _converge(service: FargateService, tasks: Sequence[FargateTask], failed: int, now: float) -> Iterator[Action]:
    """Start what is missing; end what is too much, though never below the count that should be healthy."""
    sick = [task for task in tasks if is_sick(task, now)]
    yield from (Drain(task, failed=True) for task in sick)
    fit = [task for task in tasks if task not in sick]
    new = [task for task in fit if task.service.definition == service.definition]
    old = [task for task in fit if task.service.definition != service.definition]
    if not gave_up(service, failed):
        yield from (StartTask(service) for _ in range(service.desired - len(new)))
    spare = sum(task.healthy for task in fit) - service.desired
    surplus = old + sorted(new, key=lambda task: (task.healthy, -task.since))[: max(0, len(new) - service.desired)]
    for task in surplus:
        if not task.healthy:
            yield Drain(task)
        elif spare > 0:
            spare -= 1
            yield Drain(task)


def is_sick(task: FargateTask, now: float) -> bool:
    """Tell whether a task is to be replaced."""
    return task.health == "unhealthy" and now - task.since > task.service.grace


def gave_up(service: FargateService, failed: int) -> bool:
    """Tell whether the circuit breaker has ended a deployment."""
    return failed >= max(FEWEST_FAILURES, ceil(service.desired / 2))


def _ends(tasks: Iterable[FargateTask], now: float) -> Iterator[Action]:
    for task in tasks:
        past = now - task.since
        gone = not task.service.group or task.health == GONE
        if task.phase is Phase.DRAINING and (gone or past >= task.service.delay):
            yield Terminate(task)
        elif task.phase is Phase.STOPPING and past >= task.stop:
            yield Kill(task)


def told(service: FargateService, tasks: Iterable[FargateTask], failed: int) -> str:
    """Return the state of a service for `stable_services`, which makes CloudFormation wait for it."""
    own = [task for task in tasks if task.service.arn == service.arn and task.phase is Phase.RUNNING]
    name = service.definition.rpartition("/")[2]
    if gave_up(service, failed):
        return f"failed {name} {failed} tasks ended or were never healthy"
    new = sum(task.healthy for task in own if task.service.definition == service.definition)
    settled = new == service.desired == len(own)
    return f"stable {service.desired} {name}" if settled else f"moving {new} of {service.desired} {name}"

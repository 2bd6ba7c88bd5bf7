"""Which task to stop where ECS cannot replace tasks by itself: one at a time, a pure function of service and tasks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from .model import Deployment, Service
from .scaling import minimum

_NO_ROOM = "was unable to place a task because"
"""On instances. On Fargate, ``was unable to place a task. Reason: ...``: there, stopping a task makes no room."""


@dataclass(frozen=True, slots=True)
class Task:
    """A task of a service. ``protected``: it has asked not to be stopped, and will say when it may be."""

    arn: str
    definition: str
    status: str
    started: datetime
    protected: bool = False


@dataclass(frozen=True, slots=True)
class Stop:
    """The task to stop, None for none, and why."""

    task: Task | None
    why: str


def is_stuck(service: Service) -> bool:
    """Tell whether a rolling deployment cannot go on by itself: there is no room for one more task."""
    primary = service.primary
    if service.left_alone() or primary is None or primary.rollout != "IN_PROGRESS":
        return False
    return service.desired > 0 and (_no_leeway(service) or _no_place(service, primary))


def next_stop(service: Service, tasks: Sequence[Task]) -> Stop:
    """Choose the next task to stop, so that ECS starts one of the new revision in its place.

    Args:
        service: whose deployment is stuck.
        tasks: all of the service's that are to run.

    Raises:
        BadName: its tag for the minimum is malformed.
    """
    old = sorted((task for task in tasks if task.definition != service.definition), key=lambda task: task.started)
    running = [task for task in tasks if task.status == "RUNNING"]
    fewest = _fewest(service)
    if not old:
        return Stop(None, "all tasks are of the new revision")
    if len(running) <= fewest:
        return Stop(None, f"no room for another task, and at least {fewest} of {service.desired} must keep running")
    if len(running) < service.desired:
        return Stop(None, f"waiting for the place of a stopped task to be taken: {len(running)} of {service.desired}")
    free = [task for task in old if task.status == "RUNNING" and not task.protected]
    if not free:
        return Stop(None, "the old tasks are protected, or do not run yet")
    return Stop(free[0], f"no room for another task: one of {len(old)} old ones is stopped")


def _fewest(service: Service) -> int:
    """Return how many tasks must keep running: what the service's tag says, else what ECS itself would keep."""
    said = minimum(service.tags)
    return said if said is not None else math.ceil(service.desired * service.minimum_percent / 100)


def _no_leeway(service: Service) -> bool:
    """Tell whether ECS may neither start one more task nor stop one first."""
    most = service.desired * service.maximum_percent // 100
    fewest = math.ceil(service.desired * service.minimum_percent / 100)
    return most <= service.desired <= fewest


def _no_place(service: Service, primary: Deployment) -> bool:
    since = (text for when, text in service.events if when >= primary.created)
    newest = next((text for text in since if _NO_ROOM in text or "has started" in text), "")
    return _NO_ROOM in newest

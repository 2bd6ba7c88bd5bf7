"""Tell how much tasks carry: whether as many as move at once can take the demand at which they move."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from builder.protocol.flex import FlexMessage, Serves
from worker.deploy.flex.front import api_front
from worker.model import Bundle

_CORE = 1024  # CPU units
_DEFAULT_MEMORY = 128  # MB: Lambda's
_LEAST_MEMORY = 256  # MB for one process of a function
_USUAL_CPU = 20.0  # milliseconds for a request: what `auto-lambda simulate flex` assumes, too


@dataclass(frozen=True, slots=True)
class TaskProcesses:
    """How a task serves an app.

    Attributes:
        kind: as a web application, or by events, one at a time in each process.
        number: of processes.
    """

    kind: Serves
    number: int


def task_processes(bundle: Bundle, flex: FlexMessage) -> TaskProcesses:
    """Return how a task of a release serves it."""
    cores = max(1, flex.cpu // _CORE)
    # What an API does before it calls the function, the bridge alone does as well.
    kind = bundle.serves if api_front(bundle.template, bundle.main).only_passes else "lambda"
    if kind != "lambda":
        return TaskProcesses(kind, cores)
    memory = bundle.template["Resources"][bundle.main]["Properties"].get("MemorySize", _DEFAULT_MEMORY)
    return TaskProcesses(kind, max(1, min(4 * cores, flex.memory // max(memory, _LEAST_MEMORY))))


def overloads(bundle: Bundle, flex: FlexMessage) -> Iterator[str]:
    """Yield why ``min_tasks`` certainly cannot take what moves to them."""
    processes = task_processes(bundle, flex)
    at_once = processes.number * flex.min_tasks
    if processes.kind == "lambda" and flex.measure == "concurrency" and at_once < flex.above:
        yield (
            f"it moves with {flex.above:g} requests in progress, and min_tasks = {flex.min_tasks} take {at_once} at "
            f"once, {processes.number} each: min_tasks has to be {math.ceil(flex.above / processes.number)}, or "
            "cpu and memory larger"
        )


def tight(flex: FlexMessage) -> str | None:
    """Return a warning if ``min_tasks`` can only take what moves to them if requests are light; None if not."""
    if flex.measure != "requests_per_second":
        return None
    cores = flex.min_tasks * flex.cpu / _CORE
    budget = cores * 1000 / flex.above
    if budget >= _USUAL_CPU:
        return None
    return (
        f"[flex]: all traffic moves at once to min_tasks = {flex.min_tasks} with {cores:g} cores together. At above = "
        f"{flex.above:g} they have {budget:.3g} ms of CPU for a request; with {_USUAL_CPU:g} ms, min_tasks would have "
        f"to be {math.ceil(_USUAL_CPU * flex.above * _CORE / flex.cpu / 1000)}: `auto-lambda simulate flex` calculates"
    )

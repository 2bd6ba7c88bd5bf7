"""``[flex]`` of ``auto-lambda.toml`` as it travels from the builder to the worker, which checks it once more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Measure = Literal["requests_per_second", "concurrency", "monthly_cost"]
Variant = Literal["dns", "standing-load-balancer"]
Network = Literal["own", "given"]
Serves = Literal["asgi", "wsgi", "lambda"]
"""How an app takes requests where there is no Lambda: as a web application, or by events to its handler."""

MEASURES: tuple[Measure, ...] = ("requests_per_second", "concurrency", "monthly_cost")
HYSTERESIS = 0.7
"""The largest part of ``above`` that ``below`` may be: nearer ones would send the app back and forth."""

DOMAIN = r"^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]$"

_GB = 1024
FARGATE: Mapping[int, tuple[int, ...]] = {
    256: (512, _GB, 2 * _GB),
    512: tuple(range(_GB, 4 * _GB + 1, _GB)),
    1024: tuple(range(2 * _GB, 8 * _GB + 1, _GB)),
    2048: tuple(range(4 * _GB, 16 * _GB + 1, _GB)),
    4096: tuple(range(8 * _GB, 30 * _GB + 1, _GB)),
    8192: tuple(range(16 * _GB, 60 * _GB + 1, 4 * _GB)),
    16384: tuple(range(32 * _GB, 120 * _GB + 1, 8 * _GB)),
}
"""The sizes of memory, in MB, that Fargate offers with each number of CPU units.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html
"""

Threshold = Annotated[float, Field(gt=0, le=10_000_000, allow_inf_nan=False)]
Tasks = Annotated[int, Field(ge=1, le=500)]
Seconds = Annotated[int, Field(ge=1, le=86_400)]


class FlexMessage(BaseModel):
    """When an app moves to Fargate and back, and what runs it there. Durations are in seconds.

    Attributes:
        measure: what ``above`` and ``below`` count; a cost is in USD a month, if the demand stayed as it is.
        above: demand above which it moves to Fargate.
        below: demand below which it moves back.
        up_after: how long demand has to stay above.
        down_after: how long demand has to stay below.
        min_tasks: tasks on Fargate at least.
        max_tasks: tasks on Fargate at most.
        cpu: CPU units of a task; 1024 are one core.
        memory: of a task, in MB.
        domain: the name that both fronts share; None for the pipeline's default.
        variant: what moves the traffic.
        ttl: how long clients may keep a DNS answer.
        cool_down: pause after each move.
        transitions_per_hour: steps in an hour at most.
        network: ``own``: a network of the app's own, without NAT; ``given``: the pipeline's.
    """

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    measure: Measure
    above: Threshold
    below: Threshold
    up_after: Seconds = 180
    down_after: Seconds = 900
    min_tasks: Tasks = 2
    max_tasks: Tasks = 10
    cpu: int = 256
    memory: int = 512
    domain: Annotated[str, Field(max_length=253, pattern=DOMAIN)] | None = None
    variant: Variant = "dns"
    ttl: Annotated[int, Field(ge=1, le=3_600)] = 60
    cool_down: Annotated[int, Field(ge=0, le=86_400)] = 600
    transitions_per_hour: Annotated[int, Field(ge=4, le=1_000)] = 12
    network: Network = "own"

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.below > HYSTERESIS * self.above:
            raise ValueError("the thresholds would flap")
        if self.min_tasks > self.max_tasks:
            raise ValueError("min_tasks is more than max_tasks")
        if self.memory not in FARGATE.get(self.cpu, ()):
            raise ValueError("Fargate has no such task size")
        return self

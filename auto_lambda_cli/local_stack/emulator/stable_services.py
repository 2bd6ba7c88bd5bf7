"""Lets CloudFormation wait for the tasks of a service, as AWS does; the emulator says at once that they run.

The fake Fargate starts the tasks. It tells how they are by a tag of the service.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

BEAT = 0.2
STABLE_SECONDS = 120.0  # on AWS, CloudFormation waits for hours, unless a circuit breaker ends it
AGENT_SECONDS = 5.0  # until the fake Fargate must have seen a service; where it does not run, there is nobody to ask
STATE_TAG = "fake-fargate"  # `fargate/watch.py` writes it
SERVICE = "AWS::ECS::Service"
TASK = "AUTO_LAMBDA_TASK"


class NotStable(ValueError):
    """The tasks of a service do not stay up, so that CloudFormation goes back."""


def patch() -> None:
    """Wait for services, and admit what scales them."""
    from ministack.services import ecs  # type: ignore[import-not-found,unused-ignore]
    from ministack.services.cloudformation import (  # type: ignore[import-not-found,unused-ignore]
        provisioners,
        stacks,
    )

    may_take_long = stacks._runs_on_worker_thread  # others would keep the emulator from answering anybody
    stacks._runs_on_worker_thread = lambda kind: kind == SERVICE or may_take_long(kind)
    handlers = provisioners._RESOURCE_HANDLERS
    _wait_for_tasks(handlers[SERVICE], ecs)
    _scale(handlers, ecs)


def _wait_for_tasks(handlers: dict[str, Any], ecs: Any) -> None:
    make, change, remove = handlers["create"], handlers["update"], handlers["delete"]

    def wait(arn: str) -> None:
        service = _service(ecs, arn)
        if service and runs_our_task(ecs, service["taskDefinition"]):
            wait_until_stable(lambda: _told(ecs, service["serviceArn"]), expected(service))

    def create(logical: str, props: Any, stack: str) -> Any:
        made = make(logical, counted(props), stack)
        try:
            wait(made[0])
        except NotStable:
            remove(made[0], props)  # the stack does not know it yet
            raise
        return made

    def update(arn: str, old: Any, new: Any, *rest: Any, **more: Any) -> Any:
        changed = change(arn, counted(old), counted(new), *rest, **more)
        wait(changed[0])
        return changed

    def delete(arn: str, props: Any) -> None:
        remove(arn, props)
        ecs._tags.pop(arn, None)  # else the tagging API finds it for ever

    handlers.update(create=create, update=update, delete=delete)


def counted(props: Mapping[str, Any]) -> dict[str, Any]:
    """Return a service's properties with the count as a number, which a parameter gives as text."""
    return {**props, **({"DesiredCount": int(props["DesiredCount"])} if "DesiredCount" in props else {})}


def _service(ecs: Any, arn: str) -> Any:
    name = arn.rpartition("/")[2]
    return next((one for one in list(ecs._services.values()) if one["serviceName"] == name), None)


def _told(ecs: Any, arn: str) -> str:
    return next((one["value"] for one in ecs._tags.get(arn, []) if one["key"] == STATE_TAG), "")


def runs_our_task(ecs: Any, definition: str) -> bool:
    """Tell whether the fake Fargate runs a task definition: it knows the entrypoint's only."""
    found = ecs._task_defs.get(definition.rpartition("/")[2], {})
    containers = found.get("containerDefinitions", [])
    return any(one.get("name") == TASK for each in containers for one in each.get("environment", []))


def expected(service: Mapping[str, Any]) -> str:
    """Return what the fake Fargate says of a service once it is as wanted."""
    return f"stable {service['desiredCount']} {service['taskDefinition'].rpartition('/')[2]}"


def wait_until_stable(
    told: Callable[[], str], wanted: str, patience: float = STABLE_SECONDS, agent: float = AGENT_SECONDS
) -> None:
    """Wait until the fake Fargate says that a service is as wanted; not at all if nobody tells anything."""
    began = time.monotonic()
    while (state := told()) != wanted:
        took = time.monotonic() - began
        if not state and took > agent:
            return
        failed = f"failed {wanted.partition(' ')[2].partition(' ')[2]}"
        if state.startswith(failed) or took > patience:
            raise NotStable(f"ECS Deployment Circuit Breaker was triggered: {state.removeprefix(failed).strip()}")
        time.sleep(BEAT)


def _scale(handlers: dict[str, Any], ecs: Any) -> None:
    """Keep a service within the bounds of its Application Auto Scaling, which does nothing else here."""

    def create(logical: str, props: Any, stack: str) -> tuple[str, dict[str, str]]:
        keep_within(ecs, props)
        return f"{stack}-{logical}", {"Arn": f"{stack}-{logical}", "Id": f"{stack}-{logical}"}

    def update(physical: str, _: Any, new: Any, *__: Any, **___: Any) -> tuple[str, dict[str, str]]:
        keep_within(ecs, new)
        return physical, {"Arn": physical, "Id": physical}

    for kind in ("ScalableTarget", "ScalingPolicy"):
        name = f"AWS::ApplicationAutoScaling::{kind}"
        handlers.setdefault(name, {"create": create, "update": update, "delete": lambda *_: None})


def keep_within(ecs: Any, props: Mapping[str, Any]) -> None:
    """Change a service's count to the nearest that a scalable target admits."""
    kind, _, name = str(props.get("ResourceId", "")).partition("/")
    cluster, service = name.rpartition("/")[0].rpartition("/")[2], name.rpartition("/")[2]
    found = ecs._services.get(f"{cluster}/{service}")
    if kind != "service" or found is None:
        return
    wanted = min(max(found["desiredCount"], int(props["MinCapacity"])), int(props["MaxCapacity"]))
    if wanted != found["desiredCount"]:
        ecs._update_service({"cluster": cluster, "service": service, "desiredCount": wanted})

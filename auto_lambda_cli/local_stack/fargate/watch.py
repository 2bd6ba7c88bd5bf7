"""Watches the services of ECS, and makes their tasks what they should be, again and again."""

from __future__ import annotations

import secrets
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import botocore.exceptions

from auto_lambda_cli.local_stack.fargate.plan import (
    GONE,
    Action,
    Drain,
    FargateService,
    FargateTask,
    Kill,
    Phase,
    StartTask,
    Terminate,
    plan,
    told,
)
from auto_lambda_cli.local_stack.fargate.process import TaskProcess, is_ours

STATE_TAG = "fake-fargate"  # `emulator/stable_services.py` reads it
BEAT, IDLE = 0.3, 1.0  # seconds between two ticks, with and without services
_DELAY = "deregistration_delay.timeout_seconds"

Starter = Callable[[Mapping[str, Any], Path], TaskProcess]


@dataclass(frozen=True, slots=True)
class Watching:
    """What the fake Fargate works with.

    Attributes:
        ecs: a client.
        elb: a client of the load balancers.
        start: starts the container of a task definition in a folder.
        folder: for the tasks.
        clock: seconds.
    """

    ecs: Any
    elb: Any
    start: Starter
    folder: Path
    clock: Callable[[], float] = time.monotonic


class FakeFargate:
    """Runs the tasks of all services whose task definition has the entrypoint's description.

    Attributes:
        busy: whether there was anything to look after at the last tick.
    """

    def __init__(self, watching: Watching) -> None:
        self._with = watching
        self._tasks: dict[str, FargateTask] = {}
        self._processes: dict[str, TaskProcess] = {}
        self._failures: Counter[tuple[str, str]] = Counter()
        self._definitions: dict[str, Mapping[str, Any]] = {}
        self.busy = False

    def tasks(self) -> list[FargateTask]:
        """Return the tasks as they were at the last tick."""
        return list(self._tasks.values())

    def logs(self) -> dict[str, Path]:
        """Return the log of each running task."""
        return {name: process.log for name, process in self._processes.copy().items()}

    def tick(self) -> None:
        """Look once, and do what is to be done."""
        now = self._with.clock()
        services = list(self._services())
        self.busy = bool(services or self._tasks)
        self._look(services)
        for action in plan(services, self.tasks(), self._failures, now):
            self._do(action, now)
        for service in services:
            self._tell(service)

    def end(self) -> None:
        """Kill all tasks."""
        for process in self._processes.values():
            process.kill()
        self._tasks.clear()
        self._processes.clear()

    # ------------------------------------------------------------------------------------------ looking

    def _services(self) -> Iterator[FargateService]:
        ecs = self._with.ecs
        for cluster in ecs.list_clusters()["clusterArns"]:
            names = ecs.list_services(cluster=cluster)["serviceArns"]
            found = ecs.describe_services(cluster=cluster, services=names)["services"] if names else []
            for one in found:
                if one["status"] == "ACTIVE" and is_ours(self._definition(one["taskDefinition"])):
                    yield self._service(one)

    def _service(self, described: Mapping[str, Any]) -> FargateService:
        balancer: Mapping[str, Any] = next(iter(described.get("loadBalancers") or ()), {})
        group = str(balancer.get("targetGroupArn", ""))
        return FargateService(
            described["serviceArn"],
            described["taskDefinition"],
            int(described["desiredCount"]),
            group,
            int(balancer.get("containerPort", 8080)),
            float(described.get("healthCheckGracePeriodSeconds") or 0),
            self._delay(group) if group else 0.0,
        )

    def _definition(self, arn: str) -> Mapping[str, Any]:
        if arn not in self._definitions:
            try:
                found = self._with.ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"]
            except botocore.exceptions.ClientError:  # the embedded AWS takes services without one
                return {}
            self._definitions[arn] = found
        return self._definitions[arn]

    def _delay(self, group: str) -> float:
        told = _unless_gone(self._with.elb.describe_target_group_attributes, TargetGroupArn=group)
        return next((float(one["Value"]) for one in told.get("Attributes", ()) if one["Key"] == _DELAY), 0.0)

    def _look(self, services: Iterable[FargateService]) -> None:
        current = {service.arn: service for service in services}
        health = {group: self._health(group) for group in {task.service.group for task in self.tasks()} if group}
        for name, task in list(self._tasks.items()):
            process = self._processes[name]
            if process.returncode() is not None:
                self._ended(task, process)
                continue
            state = health.get(task.service.group, {}).get((process.address, process.port), GONE)
            service = current.get(task.service.arn)  # its count and delay may be others by now, not its revision
            kept = replace(service, definition=task.service.definition) if service else task.service
            self._tasks[name] = replace(task, health=state, service=kept)
        self._forgive(current)

    def _health(self, group: str) -> Mapping[tuple[str, int], str]:
        told = _unless_gone(self._with.elb.describe_target_health, TargetGroupArn=group)
        return {
            (one["Target"]["Id"], int(one["Target"]["Port"])): one["TargetHealth"]["State"]
            for one in told.get("TargetHealthDescriptions", ())
        }

    def _ended(self, task: FargateTask, process: TaskProcess) -> None:
        if task.phase is Phase.RUNNING:  # by itself
            self._failures[task.service.arn, task.service.definition] += 1
            self._deregister(task)
        process.kill()
        del self._tasks[task.id], self._processes[task.id]

    def _forgive(self, current: Mapping[str, FargateService]) -> None:
        """Forget the failures of a revision that works, and of those that are no longer wanted."""
        wanted = {(arn, service.definition) for arn, service in current.items()}
        well = {(task.service.arn, task.service.definition) for task in self.tasks() if task.healthy}
        for key in [key for key in self._failures if key in well or key not in wanted]:
            del self._failures[key]

    # -------------------------------------------------------------------------------------------- doing

    def _do(self, action: Action, now: float) -> None:
        match action:
            case StartTask(service):
                self._start(service, now)
            case Drain(task, failed):
                if failed:
                    self._failures[task.service.arn, task.service.definition] += 1
                self._deregister(task)
                self._tasks[task.id] = replace(task, phase=Phase.DRAINING, since=now)
            case Terminate(task):
                self._processes[task.id].terminate()
                self._tasks[task.id] = replace(task, phase=Phase.STOPPING, since=now)
            case Kill(task):
                self._processes[task.id].kill()

    def _start(self, service: FargateService, now: float) -> None:
        name = secrets.token_hex(6)
        definition = self._definition(service.definition)
        process = self._with.start(definition, self._with.folder / name)
        stop = float(definition["containerDefinitions"][0].get("stopTimeout") or 30)
        self._processes[name] = process
        self._tasks[name] = FargateTask(name, service, Phase.RUNNING, now, stop=stop)
        if service.group:
            _unless_gone(self._with.elb.register_targets, TargetGroupArn=service.group, Targets=[self._target(name)])

    def _deregister(self, task: FargateTask) -> None:
        if task.service.group:
            _unless_gone(
                self._with.elb.deregister_targets, TargetGroupArn=task.service.group, Targets=[self._target(task.id)]
            )

    def _target(self, name: str) -> dict[str, Any]:
        process = self._processes[name]
        return {"Id": process.address, "Port": process.port}

    def _tell(self, service: FargateService) -> None:
        state = told(service, self.tasks(), self._failures[service.arn, service.definition])
        _unless_gone(self._with.ecs.tag_resource, resourceArn=service.arn, tags=[{"key": STATE_TAG, "value": state}])


def _unless_gone(call: Callable[..., Any], **arguments: Any) -> Mapping[str, Any]:
    """Call AWS; a group or service may be gone, since a stack may delete it between two calls: nothing then."""
    try:
        return call(**arguments) or {}
    except botocore.exceptions.ClientError as error:
        if "NotFound" not in error.response["Error"]["Code"]:
            raise
        return {}


@contextmanager
def running(watching: Watching) -> Iterator[FakeFargate]:
    """Run the fake Fargate in a thread until the end of the context."""
    shutil.rmtree(watching.folder, ignore_errors=True)
    watching.folder.mkdir(parents=True)
    log = watching.folder / "fargate.log"
    fargate, stop = FakeFargate(watching), threading.Event()

    def forever() -> None:
        while not stop.wait(BEAT if fargate.busy else IDLE):
            try:
                fargate.tick()
            except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError, OSError) as error:
                with log.open("a") as lines:  # the embedded AWS may be at its end; if not, the next tick does it
                    lines.write(f"{error}\n")

    thread = threading.Thread(target=forever, daemon=True, name="fake fargate")
    thread.start()
    try:
        yield fargate
    finally:
        stop.set()
        thread.join()
        fargate.end()

"""The only place that calls ECS and CloudWatch alarms. Each method is one thing that a convergence does or asks."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from .model import Definition, Service
from .model import family as family_of
from .plan import Revision
from .replacing import Task
from .scaling import Alarm

_PARSED = "before-parse.ecs.DescribeTaskDefinition"
_AT_ONCE = 10  # services in a call
_NO_PROTECTION = {"UnsupportedFeatureException", "InvalidAction", "UnknownOperationException"}  # of AWS, of emulators
_RECENT = 10  # revisions of a family in which an equal one is looked for


class LostField(Exception):
    """ECS returned a field that this boto3 does not know. A revision without it would not be equal."""


class ClusterGone(Exception):
    """A cluster does not exist."""


class Ecs:
    """ECS as a convergence sees it.

    Args:
        ecs: a boto3 client.
        cloudwatch: a boto3 client.
    """

    def __init__(self, ecs: Any, cloudwatch: Any) -> None:
        self._ecs = ecs
        self._cloudwatch = cloudwatch
        self._raw: Mapping[str, Any] = {}
        ecs.meta.events.unregister(_PARSED, unique_id=__name__)  # of an earlier user of this client
        ecs.meta.events.register(_PARSED, self._remember, unique_id=__name__)

    def services(self, cluster: str) -> list[Service]:
        """Return the services of a cluster that have opted in.

        Raises:
            ClusterGone: there is no such cluster.
        """
        try:
            pages = self._ecs.get_paginator("list_services").paginate(cluster=cluster)
            arns = [arn for page in pages for arn in page["serviceArns"]]
        except self._ecs.exceptions.ClusterNotFoundException:
            raise ClusterGone(f"there is no cluster {cluster}") from None
        found: list[Service] = []
        for some in _batches(arns, _AT_ONCE):
            told = self._ecs.describe_services(cluster=cluster, services=some, include=["TAGS"])["services"]
            found.extend(Service.read(one) for one in told if one.get("status") == "ACTIVE")
        return [service for service in found if service.opted_in]

    def family(self, name: str) -> Service | None:
        """Return what stands for a family, None if there is none or it has not opted in.

        Raises:
            LostField: this boto3 does not know all of its newest revision.
        """
        newest = self.definition(name)
        found = Service.of_family(newest) if newest else None
        return found if found and found.opted_in else None

    def definition(self, arn: str) -> Definition | None:
        """Return a revision, of a family the newest, with its tags; None if there is none.

        Raises:
            LostField: this boto3 does not know all of it.
        """
        try:
            answer = self._ecs.describe_task_definition(taskDefinition=arn, include=["TAGS"])
        except self._ecs.exceptions.ClientException as error:
            if "Unable to describe task definition" in str(error):
                return None
            raise
        if lost := sorted(_paths(self._raw.get("taskDefinition", {})) - _paths(answer["taskDefinition"])):
            raise LostField(f"this boto3 does not know {', '.join(lost)} of {arn}; drop the updater again to renew it")
        return {**answer["taskDefinition"], "tags": answer.get("tags", [])}

    def recent(self, name: str) -> list[Definition]:
        """Return the newest revisions of a family, newest first."""
        told = self._ecs.list_task_definitions(familyPrefix=name, status="ACTIVE", sort="DESC", maxResults=100)
        arns = [arn for arn in told["taskDefinitionArns"] if family_of(arn) == name][:_RECENT]
        return [found for found in map(self.definition, arns) if found]

    def tasks(self, service: Service) -> list[Task]:
        """Return the tasks of a service that are to run."""
        pages = self._ecs.get_paginator("list_tasks").paginate(
            cluster=service.cluster, serviceName=service.name, desiredStatus="RUNNING"
        )
        arns = [arn for page in pages for arn in page["taskArns"]]
        return [task for some in _batches(arns, 100) for task in self._described(service, some)]

    def _protected(self, service: Service, arns: Sequence[str]) -> set[str]:
        """Return those tasks that have asked not to be stopped."""
        try:
            told = self._ecs.get_task_protection(cluster=service.cluster, tasks=list(arns))["protectedTasks"]
        except self._ecs.exceptions.ClientError as error:
            if error.response["Error"]["Code"] in _NO_PROTECTION:
                return set()
            raise
        return {one["taskArn"] for one in told if one.get("protectionEnabled")}

    def alarms(self, names: Iterable[str]) -> dict[str, Alarm]:
        """Return the state of alarms by name; those that do not exist are missing."""
        found: dict[str, Alarm] = {}
        for some in _batches(sorted(set(names)), 100):
            told = self._cloudwatch.describe_alarms(AlarmNames=some, AlarmTypes=["MetricAlarm", "CompositeAlarm"])
            for one in (*told.get("MetricAlarms", ()), *told.get("CompositeAlarms", ())):
                found[one["AlarmName"]] = Alarm(one["StateValue"], _since(one))
        return found

    def register(self, revision: Revision) -> str:
        """Register a revision and return its ARN."""
        tags = {"tags": list(revision.tags)} if revision.tags else {}
        answer = self._ecs.register_task_definition(**revision.content, **tags)
        return str(answer["taskDefinition"]["taskDefinitionArn"])

    def update(self, service: Service, arn: str) -> None:
        """Move a service to a revision."""
        self._ecs.update_service(cluster=service.cluster, service=service.name, taskDefinition=arn)

    def scale(self, service: Service, count: int) -> None:
        """Set a service's desired count."""
        self._ecs.update_service(cluster=service.cluster, service=service.name, desiredCount=count)

    def tag(self, service: Service, name: str, value: str) -> None:
        """Write one of the updater's own tags."""
        self._ecs.tag_resource(resourceArn=service.arn, tags=[{"key": name, "value": value}])

    def stop(self, service: Service, task: Task, why: str) -> None:
        """Stop a task."""
        self._ecs.stop_task(cluster=service.cluster, task=task.arn, reason=f"ecs-updater: {why}"[:255])

    def _described(self, service: Service, arns: Sequence[str]) -> Iterator[Task]:
        protected = self._protected(service, arns)
        for one in self._ecs.describe_tasks(cluster=service.cluster, tasks=list(arns))["tasks"]:
            started = one.get("startedAt") or one.get("createdAt") or datetime.now(UTC)
            yield Task(
                one["taskArn"],
                one["taskDefinitionArn"],
                one.get("lastStatus", ""),
                started,
                one["taskArn"] in protected,
            )

    def _remember(self, response_dict: Mapping[str, Any], **_: object) -> None:
        """Keep what ECS really said, since boto3 drops what it does not know."""
        self._raw = json.loads(response_dict["body"])


def _since(alarm: Mapping[str, Any]) -> datetime:
    told = alarm.get("StateTransitionedTimestamp") or alarm.get("StateUpdatedTimestamp") or datetime.now(UTC)
    return told if told.tzinfo else told.replace(tzinfo=UTC)


def _batches(items: Sequence[str], size: int) -> Iterator[list[str]]:
    for start in range(0, len(items), size):
        yield list(items[start : start + size])


def _paths(value: object, at: str = "") -> set[str]:
    """Return the dotted name of every field that holds something."""
    if isinstance(value, Mapping):
        return {path for name, inner in value.items() for path in _paths(inner, f"{at}.{name}" if at else str(name))}
    if isinstance(value, (list, tuple)):
        return {path for inner in value for path in _paths(inner, f"{at}[]")}
    return set() if value is None else {at}

"""What ECS says, read once into plain values, and what services say by their tags."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from .images import BadName, Follow

PREFIX = "ecs-updater:"
FOLLOW, MIN, MAX, RAISE, LOWER, COOLDOWN, QUIET = (
    PREFIX + name for name in ("follow", "min", "max", "raise", "lower", "cooldown", "quiet")
)
"""Tags by which a service opts in. AWS allows no ``*`` in a tag's value."""
TRIED, SCALED = PREFIX + "tried", PREFIX + "scaled"
"""Tags that the updater writes: its only memory."""

Definition = Mapping[str, Any]
"""A task definition as ECS returns it, with its tags under ``tags``."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """One of a service's deployments; ``PRIMARY`` is the one that it wants."""

    id: str
    status: str
    definition: str
    rollout: str
    reason: str
    created: datetime


@dataclass(frozen=True, slots=True)
class Service:
    """A service. ``definition`` is None where task sets, not the service, have one.

    A family whose tasks are run without a service, on a schedule or by hand, is one without cluster and tasks.
    """

    arn: str
    cluster: str
    name: str
    definition: str | None
    desired: int
    running: int
    pending: int
    tags: Mapping[str, str] = field(default_factory=dict)
    controller: str = "ECS"
    strategy: str = "ROLLING"
    daemon: bool = False
    minimum_percent: int = 100
    maximum_percent: int = 200
    deployments: tuple[Deployment, ...] = ()
    events: tuple[tuple[datetime, str], ...] = ()

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> Service:
        """Read one of the answers of ``DescribeServices``."""
        rules = told.get("deploymentConfiguration") or {}
        return cls(
            arn=told["serviceArn"],
            cluster=told["clusterArn"].rpartition("/")[2],
            name=told["serviceName"],
            definition=told.get("taskDefinition") or None,
            desired=told.get("desiredCount", 0),
            running=told.get("runningCount", 0),
            pending=told.get("pendingCount", 0),
            tags={tag["key"]: tag.get("value", "") for tag in told.get("tags") or ()},
            controller=(told.get("deploymentController") or {}).get("type", "ECS"),
            strategy=rules.get("strategy") or "ROLLING",
            daemon=told.get("schedulingStrategy") == "DAEMON",
            minimum_percent=rules.get("minimumHealthyPercent", 100),
            maximum_percent=rules.get("maximumPercent", 200),
            deployments=tuple(map(_deployment, told.get("deployments") or ())),
            events=tuple((_when(one.get("createdAt")), one.get("message", "")) for one in told.get("events") or ()),
        )

    @classmethod
    def of_family(cls, newest: Definition) -> Service:
        """Return what stands for a family: its newest revision is what it is on."""
        arn = newest["taskDefinitionArn"]
        tags = {tag["key"]: tag.get("value", "") for tag in newest.get("tags") or ()}
        return cls(arn, "", newest["family"], arn, desired=0, running=0, pending=0, tags=tags)

    @property
    def primary(self) -> Deployment | None:
        """The deployment that the service wants."""
        return next((one for one in self.deployments if one.status == "PRIMARY"), None)

    @property
    def label(self) -> str:
        """How people name it."""
        return f"{self.cluster}/{self.name}" if self.cluster else f"family {self.name}"

    @property
    def opted_in(self) -> bool:
        """Whether anything of the service is the updater's."""
        return FOLLOW in self.tags or RAISE in self.tags

    def follows(self) -> tuple[Follow, ...]:
        """Return what it follows.

        Raises:
            BadName: its tag cannot be read, or names a repository twice.
        """
        found = tuple(Follow.parse(word) for word in self.tags.get(FOLLOW, "").split())
        names = [follow.image.name for follow in found]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise BadName(f"{FOLLOW} names {twice} twice")
        return found

    def left_alone(self) -> str | None:
        """Return why its tasks are somebody else's to replace, None if they are not."""
        if self.controller == "CODE_DEPLOY":
            return "its deployments are CodeDeploy's (blue/green)"
        if self.controller != "ECS":
            return "its deployment controller is external"
        if self.strategy != "ROLLING":
            return f"its deployments are not rolling, but ECS's own {self.strategy.lower().replace('_', '/')}"
        if self.daemon:
            return "it is a daemon: one task on each instance"
        if self.definition is None:
            return "it has no task definition"
        return None


@dataclass(frozen=True, slots=True)
class Target:
    """What a registry says that a service should run."""

    tag: str
    digest: str
    pushed: datetime | None = None


@dataclass(frozen=True, slots=True)
class Unknown:
    """A registry did not say what should run. ``late``: it may say so later; nothing is wrong with the tag."""

    why: str
    late: bool = False


def family(definition: str) -> str:
    """Return the family of a revision's ARN or short name."""
    return short(definition).rpartition(":")[0]


def short(definition: str) -> str:
    """Return ``family:revision`` of an ARN."""
    return definition.rpartition("/")[2]


def _deployment(told: Mapping[str, Any]) -> Deployment:
    return Deployment(
        id=told.get("id", ""),
        status=told.get("status", ""),
        definition=told.get("taskDefinition", ""),
        rollout=told.get("rolloutState") or "COMPLETED",
        reason=told.get("rolloutStateReason", ""),
        created=_when(told.get("createdAt")),
    )


def _when(told: object) -> datetime:
    if isinstance(told, datetime):
        return told if told.tzinfo else told.replace(tzinfo=UTC)
    return datetime.min.replace(tzinfo=UTC)

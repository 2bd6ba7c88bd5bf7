"""A small world of ECS for the updater's tests: definitions as ECS returns them, services, a registry's table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ecs_updater.chalicelib.images import Follow
from ecs_updater.chalicelib.model import FOLLOW, Definition, Deployment, Service, Target, Unknown

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
REGION, ACCOUNT = "us-east-1", "123456789012"


def digest(seed: str | int) -> str:
    return f"sha256:{hash_of(seed):064x}"


def hash_of(seed: str | int) -> int:
    return int.from_bytes(str(seed).encode().rjust(8, b"0")[-8:], "big")


def arn_of(revision: str) -> str:
    return f"arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/{revision}"


def definition(revision: str, *images: str, **more: Any) -> Definition:
    """A revision as `DescribeTaskDefinition` returns it."""
    name, _, number = revision.partition(":")
    containers = [{"name": f"c{index}", "image": image, "memory": 64} for index, image in enumerate(images)]
    return {
        "taskDefinitionArn": arn_of(revision),
        "family": name,
        "revision": int(number),
        "status": "ACTIVE",
        "containerDefinitions": containers,
        "volumes": [],
        "compatibilities": ["EC2"],
        "registeredAt": NOON,
        "tags": [{"key": "team", "value": "shop"}],
        **more,
    }


def service(name: str, revision: str | None, follow: str = "", **more: Any) -> Service:
    tags = {**({FOLLOW: follow} if follow else {}), **more.pop("tags", {})}
    given: dict[str, Any] = {"desired": 2, "running": 2, "pending": 0, **more}
    return Service(
        arn=f"arn:aws:ecs:{REGION}:{ACCOUNT}:service/shop/{name}",
        cluster="shop",
        name=name,
        definition=arn_of(revision) if revision else None,
        tags=tags,
        **given,
    )


def rollout(revision: str, state: str = "IN_PROGRESS", status: str = "PRIMARY", reason: str = "") -> Deployment:
    return Deployment("ecs-svc/1", status, arn_of(revision), state, reason, NOON)


def targets(**tags: str) -> Mapping[Follow, Target | Unknown]:
    """Targets by follow: ``targets(**{"acme/shop:1.x": "1.2.0"})``; a digest is made of the tag."""
    return {Follow.parse(follow): Target(tag, digest(tag)) for follow, tag in tags.items()}


@dataclass
class KnownTags:
    """A registry that answers from a table, by ``repository:pattern``."""

    table: dict[str, Target | Unknown] = field(default_factory=dict)

    def resolve(self, follow: Follow) -> Target | Unknown:
        return self.table.get(
            f"{follow.image.name}:{follow.pattern}", Unknown(f"there is no image {follow.image.name}")
        )

    def push(self, name: str, pattern: str, tag: str, pushed: datetime = NOON) -> None:
        self.table[f"{name}:{pattern}"] = Target(tag, digest(tag), pushed)

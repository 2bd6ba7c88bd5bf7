"""What a flex stack is made of: everything that differs from app to app, and from release to release."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from auto_lambda.keys import App
from auto_lambda.model import Architecture
from auto_lambda.namespace import Place
from builder.protocol.flex import FlexMessage
from worker.model import FlexTarget

Resource = dict[str, Any]
Resources = dict[str, Resource]

RUNNING = "Running"
"""The condition of what costs: it exists only while the app is on Fargate, or on its way."""

PORT = 8080
HEALTH_PATH = "/.auto-lambda/health"
_LEAST_DRAIN, _MOST_DRAIN = 5, 30  # seconds

CONTROLLER = App("platform", "flex-controller")
"""The app that moves the traffic; one for all pipelines of an account and region."""

TOPIC = "flex-controller-platform_hints"
"""The controller's topic, which alarms tell."""

FLEX_ROLE = "auto-lambda/flex/flex-stacks"
"""Path and name of the controller's role, with which CloudFormation changes flex stacks."""


def drain_seconds(settings: FlexMessage) -> int:
    """Return how long a task that ends still answers: requests in flight take no longer on an API of Lambda."""
    return max(_LEAST_DRAIN, min(_MOST_DRAIN, settings.ttl))


@dataclass(frozen=True, slots=True)
class EntrypointFile:
    """The program of a task: a zip in the artifacts bucket."""

    key: str
    sha256: str


@dataclass(frozen=True, slots=True)
class FlexParts:
    """What a flex stack is made of.

    Attributes:
        app: whose stack it is.
        settings: the app's ``[flex]``.
        place: where it is.
        domain: the name that both fronts share.
        certificate_arn: of that name.
        zone_id: hosted zone of its records.
        front: host name of the API behind the name.
        function: name of the function.
        alias_arn: of the function's live alias.
        function_memory: MB of the function, for what it would cost.
        rest: whether its API is a REST API, which costs more.
        architecture: of the app's packages.
        python: its version.
        boundary_arn: of the tasks' roles.
        bucket: of artifacts.
        keys: of the artifacts that a task reads.
        environment: the task's variables.
        entrypoint: the task's program.
        policies: of the function's role.
        managed_policies: ARNs of the function's role.
        target: image, and the given network.
    """

    app: App
    settings: FlexMessage
    place: Place
    domain: str
    certificate_arn: str
    zone_id: str
    front: str
    function: str
    alias_arn: str
    function_memory: int
    rest: bool
    architecture: Architecture
    python: str
    boundary_arn: str
    bucket: str
    keys: tuple[str, ...]
    environment: Mapping[str, str]
    entrypoint: EntrypointFile
    policies: tuple[Mapping[str, Any], ...]
    managed_policies: tuple[str, ...]
    target: FlexTarget

    @property
    def standing(self) -> bool:
        """Whether the load balancer stands in front of both, in all phases."""
        return self.settings.variant == "standing-load-balancer"

    def when_running(self, resource: Resource) -> Resource:
        """Return a resource of the tasks, which cost: it exists only while the app runs on Fargate."""
        return {**resource, "Condition": RUNNING}

    def when_balanced(self, resource: Resource) -> Resource:
        """Return a resource of the load balancer or its network."""
        return resource if self.standing else self.when_running(resource)


def resource(kind: str, **properties: Any) -> Resource:
    """Return a resource; ``kind`` is its type without ``AWS::``."""
    return {"Type": f"AWS::{kind}", "Properties": properties}


def attribute(name: str, of: str) -> dict[str, Any]:
    """Return a reference to an attribute of a resource."""
    return {"Fn::GetAtt": [name, of]}

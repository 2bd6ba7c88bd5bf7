"""Lists what a template refers to that exists outside of it: queues, topics, streams, buckets, subnets and groups.

Pure functions. References to the template's own resources are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from auto_lambda.namespace import Place, listed
from worker.deploy.gate.symbols import ACCOUNT, PARTITION, REGION, Unreadable, render, symbols
from worker.deploy.gate.template import TemplateView
from worker.model import Bundle

Kind = Literal["queue", "topic", "stream", "table stream", "bucket", "subnet", "security group"]
DEFAULT_TIMEOUT = 3
"""Seconds, Lambda's."""
TRIGGER = "EventSourceArn"
_ARN = re.compile(r"arn:[a-z-]+:(sqs|sns|kinesis|dynamodb):([a-z0-9-]*):(\d{12}|):(.+)")
_KINDS: Mapping[str, Kind] = {"sqs": "queue", "sns": "topic", "kinesis": "stream", "dynamodb": "table stream"}


@dataclass(frozen=True, slots=True)
class Use:
    """Something outside of the template that one of its resources needs.

    Attributes:
        resource: logical id of the resource.
        path: the property that names it.
        kind: of what is needed.
        id: its ARN, id or name.
        timeout: that of the function which a queue triggers, in seconds.
    """

    resource: str
    path: str
    kind: Kind
    id: str
    timeout: int | None = None

    @property
    def region(self) -> str:
        """Its region, empty if its id does not tell."""
        return self._part(2)

    @property
    def account(self) -> str:
        """Its account, empty if its id does not tell."""
        return self._part(3)

    @property
    def name(self) -> str:
        """Its name without the rest of the ARN."""
        rest = self._part(4) or self.id
        return rest.split("/")[1] if "/" in rest else rest

    def _part(self, number: int) -> str:
        found = _ARN.fullmatch(self.id)
        return found[number] if found else ""


def uses(bundle: Bundle, place: Place) -> Iterator[Use]:
    """Yield everything that the template of a bundle, which has passed the gate, needs from outside."""
    view = TemplateView(bundle.template["Resources"])
    for name, properties in view.of("Lambda::EventSourceMapping"):
        timeout = _timeout(view, properties.get("FunctionName"))
        yield from _arns(name, TRIGGER, properties.get(TRIGGER), place, timeout)
        yield from _destinations(name, properties, place)
    for name, properties in view.of("Lambda::EventInvokeConfig"):
        yield from _destinations(name, properties, place)
    for name, properties in view.of("SNS::Subscription"):
        yield from _arns(name, "TopicArn", properties.get("TopicArn"), place)
    for name, properties in view.of("Lambda::Function"):
        yield from _of_function(name, properties, place)
    for item in bundle.notifications:
        yield Use(item.function, "bucket", "bucket", item.bucket)


def _of_function(name: str, properties: Mapping[str, Any], place: Place) -> Iterator[Use]:
    target = properties.get("DeadLetterConfig", {}).get("TargetArn")
    yield from _arns(name, "DeadLetterConfig.TargetArn", target, place)
    network = properties.get("VpcConfig", {})
    for one in map(_text, listed(network.get("SubnetIds", []))):
        if one:
            yield Use(name, "VpcConfig.SubnetIds", "subnet", one)
    for one in map(_text, listed(network.get("SecurityGroupIds", []))):
        if one:
            yield Use(name, "VpcConfig.SecurityGroupIds", "security group", one)


def _destinations(name: str, properties: Mapping[str, Any], place: Place) -> Iterator[Use]:
    for event, target in sorted(properties.get("DestinationConfig", {}).items()):
        yield from _arns(name, f"DestinationConfig.{event}", target.get("Destination"), place)


def _arns(name: str, path: str, value: Any, place: Place, timeout: int | None = None) -> Iterator[Use]:
    text = _text(value, place)
    if text and (found := _ARN.fullmatch(text)):
        yield Use(name, path, _KINDS[found[1]], text, timeout)


def _text(value: Any, place: Place | None = None) -> str | None:
    """Return a value without its symbols; None if it refers to something of the template."""
    try:
        text = render(value)
    except Unreadable:
        return None
    if place:
        for one, known in ((PARTITION, place.partition), (REGION, place.region), (ACCOUNT, place.account)):
            text = text.replace(one, known)
    return None if symbols(text) else text


def _timeout(view: TemplateView, function: Any) -> int:
    """Return the timeout of the function that a mapping invokes by its alias."""
    alias = view.refers_to(function, "Lambda::Alias") or ""
    target = view.resources.get(alias, {}).get("Properties", {}).get("FunctionName")
    name = view.refers_to(target if alias else function, "Lambda::Function") or ""
    found = view.resources.get(name, {}).get("Properties", {}).get("Timeout", DEFAULT_TIMEOUT)
    return found if isinstance(found, int) else DEFAULT_TIMEOUT

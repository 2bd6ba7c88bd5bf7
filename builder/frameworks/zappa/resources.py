"""Building blocks of a zappa app's template: resources, permissions, and references to the function."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from auto_lambda.model import BucketNotification

Resource = dict[str, Any]
Statement = dict[str, Any]

FUNCTION = "App"
"""Logical id of the one function that a zappa app is."""

ROLE = "AppRole"
FUNCTION_ARN = {"Fn::GetAtt": [FUNCTION, "Arn"]}
INVOCATION_URI = {
    "Fn::Sub": "arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/"
    f"${{{FUNCTION}.Arn}}/invocations"
}
"""URI that an API calls. Publishing rewrites it to the alias, like every other reference to the function."""


@dataclass
class TemplateParts:
    """One aspect's parts of an app's template. ``statements`` are for the function's role."""

    resources: dict[str, Resource] = field(default_factory=dict)
    statements: list[Statement] = field(default_factory=list)
    notifications: list[BucketNotification] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    url: Any = None

    def add(self, other: TemplateParts) -> None:
        """Add another aspect's parts; the first URL wins."""
        self.resources |= other.resources
        self.statements += other.statements
        self.notifications += other.notifications
        self.warnings += other.warnings
        self.url = other.url if self.url is None else self.url


def invoke_permission(principal: str, source: Any, **more: Any) -> Resource:
    """Let a service call the function, for one source ARN."""
    properties = {
        "Action": "lambda:InvokeFunction",
        "FunctionName": {"Ref": FUNCTION},
        "Principal": principal,
        "SourceArn": source,
        **more,
    }
    return {"Type": "AWS::Lambda::Permission", "Properties": properties}


def allow(actions: Iterable[str], *resources: Any) -> Statement:
    """Return a statement of a policy."""
    return {"Effect": "Allow", "Action": list(actions), "Resource": list(resources)}


def sub(text: str) -> dict[str, str]:
    """Return ``Fn::Sub``."""
    return {"Fn::Sub": text}


def escape_sub(text: str) -> str:
    """Escape text of an upload for ``Fn::Sub``, so that none of it is a reference."""
    return text.replace("${", "${!")


def short_hash(value: Any) -> str:
    """Return a short name for content, valid in a logical id."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:10]


def tag_list(tags: dict[str, str]) -> list[dict[str, str]]:
    """Return tags in the form that most resources take."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]

"""Finds routes that a REST API cannot have beside one another.

A resource has at most one child with a variable path part (API Gateway Developer Guide, 'Set up methods').
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from auto_lambda.model import Template
from builder.lint.refusal import Refusal

_API = "AWS::ApiGateway::RestApi"
_LONGEST = 200  # characters


def findings(template: Template) -> Iterator[Refusal]:
    """Yield routes of which one would hide the other."""
    for name, resource in sorted(template["Resources"].items()):
        body = resource.get("Properties", {}).get("Body") if resource["Type"] == _API else None
        paths = body.get("paths") if isinstance(body, dict) else None
        for first, second in _conflicts(sorted(paths) if isinstance(paths, dict) else []):
            reason = f"{first!r} and {second!r}: a path has only one variable part at one place; give it one name"
            yield Refusal(name, _API, ("Body", "paths"), reason)


def _conflicts(paths: list[Any]) -> Iterator[tuple[str, str]]:
    seen: dict[str, tuple[str, str]] = {}  # parent -> the variable part, and the path that has it
    for path in paths:
        parent = ""
        for part in str(path)[:_LONGEST].split("/"):
            if part.startswith("{"):
                known, other = seen.setdefault(parent, (part, path))
                if known != part:
                    yield other[:_LONGEST], path[:_LONGEST]
                    break
            parent = f"{parent}/{part}"

"""Finds schedule expressions that EventBridge refuses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from auto_lambda.model import Template
from builder.lint.refusal import Refusal
from builder.schedule_expressions import refused

_KINDS: Mapping[str, bool] = {"AWS::Events::Rule": False, "AWS::Scheduler::Schedule": True}
"""Type -> whether it may also run once."""


def findings(template: Template) -> Iterator[Refusal]:
    """Yield expressions that EventBridge refuses."""
    for name, resource in sorted(template["Resources"].items()):
        if resource["Type"] in _KINDS:
            value: Any = resource.get("Properties", {}).get("ScheduleExpression")
            if isinstance(value, str) and value and (reason := refused(value, once=_KINDS[resource["Type"]])):
                yield Refusal(name, resource["Type"], ("ScheduleExpression",), reason)

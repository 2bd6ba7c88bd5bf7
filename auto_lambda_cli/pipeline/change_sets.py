"""CloudFormation as a launch uses it: what a plan would change is looked at before it is changed."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self

from auto_lambda.aws.cloudformation import Plan, Progress, Stack, Stacks

_POLL = 5.0


@dataclass(frozen=True, slots=True)
class Change:
    """What a change set does to a resource.

    Attributes:
        action: ``Add``, ``Modify`` or ``Remove``.
        resource: its logical id.
        kind: its type.
        replacement: ``True``, ``Conditional`` or empty.
    """

    action: str
    resource: str
    kind: str
    replacement: str = ""

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Self:
        """Read it as CloudFormation describes it."""
        replacement = told.get("Replacement") or "False"
        written = "" if replacement == "False" else replacement
        return cls(told["Action"], told["LogicalResourceId"], told["ResourceType"], written)


class _Seen(Exception):
    """The changes are known, and are not to be made."""


class ReviewedStacks(Stacks):
    """Stacks whose changes can be looked at.

    Args:
        client: boto3's client of CloudFormation.
    """

    def __init__(self, client: Any) -> None:
        super().__init__(client)
        self._cloudformation_client = client

    def review(self, plan: Plan) -> tuple[Change, ...]:
        """Return what a plan would change in an existing stack; nothing is changed.

        Raises:
            StackFailed: CloudFormation refuses the plan.
        """
        seen: list[Change] = []

        def look(change_set: str) -> None:
            seen.extend(self.changes(change_set))
            raise _Seen

        with suppress(_Seen):
            self.deploy(plan, inspect=look)
        return tuple(seen)

    def ended(self, name: str, say: Progress) -> Stack | None:
        """Describe a stack once no operation is in progress; None if there is none. Nothing is changed."""
        stack = self.describe(name)
        while stack and stack.status.endswith("_IN_PROGRESS"):
            say(f"{name}: {stack.status}, waiting")
            time.sleep(_POLL)
            stack = self.describe(name)
        return stack

    def changes(self, change_set: str) -> Sequence[Change]:
        """Return what a change set would do."""
        pages = self._cloudformation_client.get_paginator("describe_change_set").paginate(ChangeSetName=change_set)
        return [Change.of(change["ResourceChange"]) for page in pages for change in page["Changes"]]

    def template(self, name: str) -> str | None:
        """Return the template of a stack as it was given; None if that was JSON, which botocore parses."""
        body = self._cloudformation_client.get_template(StackName=name)["TemplateBody"]
        return body if isinstance(body, str) else None

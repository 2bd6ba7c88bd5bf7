"""What CloudFormation finds wrong with a change set before anything is changed, as `DescribeEvents` tells it.

The change set itself only says that a validation has failed, and to ask for its events.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

NAME_TAKEN = "NAME_CONFLICT_VALIDATION"
_QUOTA = "QUOTA"
_KINDS = ("VALIDATION_ERROR", "PROVISIONING_ERROR", "HOOK_INVOCATION_ERROR")
_NO_RESOURCE = "the template"


@dataclass(frozen=True, slots=True)
class FailedValidation:
    """One failed validation.

    Attributes:
        resource: logical id.
        reason: CloudFormation's reason.
        check: the validation's name, such as `NAME_TAKEN`; None if something else has failed.
        kind: type of the resource.
    """

    resource: str
    reason: str
    check: str | None = None
    kind: str | None = None

    @property
    def quota(self) -> bool:
        """Whether a quota of the account is exhausted, which no change of the app cures."""
        return self.check is not None and _QUOTA in self.check


@dataclass(frozen=True, slots=True)
class FailedValidations:
    """The failed validations of a change set, the first reported first; ``silent`` is why AWS did not tell them."""

    all: tuple[FailedValidation, ...] = ()
    silent: str | None = None


def findings(client: CloudFormationClient, stack: str, change_set: str) -> FailedValidations:
    """Ask why a change set was refused, before it is deleted. Never raises: its status is a reason as well.

    Args:
        client: boto3's client.
        stack: its name.
        change_set: its ARN; with a name alone, `DescribeEvents` finds nothing.
    """
    try:
        pages = client.get_paginator("describe_events").paginate(
            StackName=stack, ChangeSetName=change_set, Filters={"FailedEvents": True}
        )
        events = [event for page in pages for event in page["OperationEvents"]]
    except (ClientError, BotoCoreError) as error:
        return FailedValidations(silent=str(error))
    found = dict.fromkeys(one for event in events if (one := _finding(event)))
    return FailedValidations(tuple(found))


def _finding(event: Mapping[str, Any]) -> FailedValidation | None:
    if event.get("EventType") not in _KINDS or "WARN" in (
        event.get("ValidationFailureMode"),
        event.get("HookFailureMode"),
    ):
        return None
    reasons = (event.get(f"{of}StatusReason") for of in ("Validation", "Hook", "Resource"))
    reason = next(filter(None, reasons), None)
    if reason is None:
        return None
    path = event.get("ValidationPath")
    where = f" (at {path})" if path else ""
    resource = event.get("LogicalResourceId") or _NO_RESOURCE
    return FailedValidation(resource, f"{reason}{where}", event.get("ValidationName"), event.get("ResourceType"))

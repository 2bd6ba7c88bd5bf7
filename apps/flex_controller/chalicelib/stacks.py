"""The only place that calls CloudFormation."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from .model import PREFIX, Flex, History
from .step import Move

_GONE = "DELETE_COMPLETE"
_THERE = ["CREATE_IN_PROGRESS", "CREATE_FAILED", "CREATE_COMPLETE", "ROLLBACK_IN_PROGRESS", "ROLLBACK_FAILED",
          "ROLLBACK_COMPLETE", "DELETE_IN_PROGRESS", "DELETE_FAILED", "UPDATE_IN_PROGRESS",
          "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_COMPLETE", "UPDATE_FAILED", "UPDATE_ROLLBACK_IN_PROGRESS",
          "UPDATE_ROLLBACK_FAILED", "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
          "UPDATE_ROLLBACK_COMPLETE"]  # fmt: skip
_CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"]
_LATER = ("can not be updated", "cannot be updated")
_HISTORY = timedelta(hours=1)


class Busy(Exception):
    """Somebody else's operation was first; the next look sees what came of it."""


class Stacks:
    """The flex stacks of this account and region.

    Args:
        client: a boto3 client of CloudFormation.
        role: path and name of the role by which CloudFormation changes flex stacks.
    """

    def __init__(self, client: Any, role: str) -> None:
        self._client = client
        self._role = role

    def names(self) -> list[str]:
        """Return the names of all flex stacks."""
        pages = self._client.get_paginator("list_stacks").paginate(StackStatusFilter=_THERE)
        found = (one["StackName"] for page in pages for one in page["StackSummaries"] if one["StackStatus"] != _GONE)
        return sorted(name for name in found if name.startswith(PREFIX))

    def read(self, name: str) -> Flex | None:
        """Return a stack, None if it is gone.

        Raises:
            BadStack: it is not a flex stack.
        """
        try:
            return Flex.read(self._client.describe_stacks(StackName=name)["Stacks"][0])
        except ClientError as error:
            if "does not exist" in str(error):
                return None
            raise

    def history(self, flex: Flex, now: datetime) -> History:
        """Read the events of the last hour, and those of the last operation."""
        return History.read(self._events(flex.arn), now - max(_HISTORY, flex.settings.cool_down))

    def service(self, flex: Flex) -> str:
        """Return cluster and name of the service, as ``cluster/name``; empty if there is none.

        While CloudFormation is at work the outputs are the previous ones, so its resources tell.
        """
        if not flex.busy:
            return "/".join(filter(None, (flex.outputs.get("Cluster"), flex.outputs.get("Service"))))
        told = self._client.describe_stack_resources(StackName=flex.arn)["StackResources"]
        found = (one.get("PhysicalResourceId", "") for one in told if one["ResourceType"] == "AWS::ECS::Service")
        return "/".join(next(filter(None, found), "").split("/")[-2:])

    def move(self, flex: Flex, move: Move, settled: datetime) -> None:
        """Begin a transition. Everything but phase and weight stays as it is, whoever set it.

        Raises:
            Busy: another operation is under way.
        """
        _, partition, _, _, account, *_ = flex.arn.split(":")
        wanted = {"Phase": move.phase, "FargateWeight": str(move.weight)}
        rescue = "rescue-" if move.rescue else ""
        try:
            self._client.update_stack(
                StackName=flex.arn,
                UsePreviousTemplate=True,
                Parameters=[_parameter(name, wanted.get(name)) for name in flex.parameters],
                Capabilities=_CAPABILITIES,
                RoleARN=f"arn:{partition}:iam::{account}:role/{self._role}",
                ClientRequestToken=f"flex-{move.phase}-{move.weight}-{rescue}{settled.timestamp() * 1000:.0f}",
            )
        except ClientError as error:
            if any(words in str(error) for words in _LATER):
                raise Busy(str(error)) from None
            raise

    def _events(self, arn: str) -> Iterator[Any]:
        for page in self._client.get_paginator("describe_stack_events").paginate(StackName=arn):
            yield from page["StackEvents"]


def _parameter(name: str, value: str | None) -> dict[str, Any]:
    kept: dict[str, Any] = {"UsePreviousValue": True} if value is None else {"ParameterValue": value}
    return {"ParameterKey": name, **kept}

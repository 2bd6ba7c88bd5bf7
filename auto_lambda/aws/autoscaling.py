"""Auto Scaling groups: what can be seen of one, and a machine's own part in it. The only module that calls it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_autoscaling import AutoScalingClient

_TERMINATING = "autoscaling:EC2_INSTANCE_TERMINATING"
_FORBIDDEN = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"}


class GroupUnusable(Exception):
    """The group is not there or not ours to see; the message says which and names it. Waiting does not help."""


@dataclass(frozen=True, slots=True)
class Capacity:
    """Machines of a group at one moment.

    Attributes:
        in_service: take work.
        pending: on their way.
        leaving: draining, terminating, or set apart; no capacity, though they may be finishing what they have.
        desired: as many as there should be.
    """

    in_service: int
    pending: int
    leaving: int
    desired: int


class AutoScalingGroup:
    """One group. What it raises beyond `GroupUnusable` is botocore's.

    Args:
        client: boto3's.
        name: of the group.
    """

    def __init__(self, client: AutoScalingClient, name: str) -> None:
        self._client = client
        self._name = name

    def capacity(self) -> Capacity:
        """As it is now.

        Raises:
            GroupUnusable: there is no such group in this region, or we may not ask.
        """
        try:
            groups = self._client.describe_auto_scaling_groups(AutoScalingGroupNames=[self._name])["AutoScalingGroups"]
        except ClientError as error:
            if error.response.get("Error", {}).get("Code", "") in _FORBIDDEN:
                raise GroupUnusable(
                    f"the Auto Scaling group {self._name} cannot be used: we are not allowed to describe it"
                ) from error
            raise
        if not groups:
            region = self._client.meta.region_name
            raise GroupUnusable(
                f"there is no Auto Scaling group {self._name} in {region}; a group of another region cannot be used"
            )
        kinds = Counter(_kind(item["LifecycleState"]) for item in groups[0]["Instances"])
        return Capacity(kinds["in service"], kinds["pending"], kinds["leaving"], groups[0]["DesiredCapacity"])


class Member:
    """One machine in its group. What it raises is botocore's."""

    def __init__(self, client: AutoScalingClient, group: str, instance: str) -> None:
        self._client = client
        self._group = group
        self._instance = instance

    @classmethod
    def find(cls, client: AutoScalingClient, instance: str) -> Member | None:
        """The machine in its group; None if it is in none."""
        found = client.describe_auto_scaling_instances(InstanceIds=[instance])["AutoScalingInstances"]
        return cls(client, found[0]["AutoScalingGroupName"], instance) if found else None

    def protect(self, wanted: bool) -> None:
        """Keep scale-in from choosing this machine, or let it."""
        self._client.set_instance_protection(
            AutoScalingGroupName=self._group, InstanceIds=[self._instance], ProtectedFromScaleIn=wanted
        )

    def leave(self) -> None:
        """Ask the group to end this machine and to be one smaller; refused where it may not be smaller."""
        self._client.terminate_instance_in_auto_scaling_group(
            InstanceId=self._instance, ShouldDecrementDesiredCapacity=True
        )

    def mark_unhealthy(self) -> None:
        """Ask the group to take another machine for this one, however young it is."""
        self._client.set_instance_health(
            InstanceId=self._instance, HealthStatus="Unhealthy", ShouldRespectGracePeriod=False
        )

    def still_here(self) -> None:
        """Ask the group to wait for longer before it ends the machine."""
        for hook in self._hooks():
            self._client.record_lifecycle_action_heartbeat(
                AutoScalingGroupName=self._group, LifecycleHookName=hook, InstanceId=self._instance
            )

    def ready_to_go(self) -> None:
        """Tell the group that it need not wait any longer."""
        for hook in self._hooks():
            self._client.complete_lifecycle_action(
                AutoScalingGroupName=self._group,
                LifecycleHookName=hook,
                InstanceId=self._instance,
                LifecycleActionResult="CONTINUE",
            )

    def _hooks(self) -> list[str]:
        hooks = self._client.describe_lifecycle_hooks(AutoScalingGroupName=self._group)["LifecycleHooks"]
        return [hook["LifecycleHookName"] for hook in hooks if hook["LifecycleTransition"] == _TERMINATING]


def _kind(state: str) -> str:
    """Of a life-cycle state; a machine of a warm pool is neither here nor on its way."""
    if state == "InService":
        return "in service"
    if state.startswith("Warmed"):
        return "warmed"
    return "pending" if state.startswith("Pending") else "leaving"

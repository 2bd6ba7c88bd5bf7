"""Auto Scaling, as far as we use it: groups, and an instance in its group. The only module that calls it."""

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
    """The group does not exist or may not be described; the message says which and names it. Waiting does not help."""


@dataclass(frozen=True, slots=True)
class Capacity:
    """The instances of a group at one moment.

    Attributes:
        in_service: instances that take work.
        pending: instances that are starting.
        leaving: instances that are terminating or in standby; no capacity, though they may still finish their builds.
        desired: the desired capacity.
    """

    in_service: int
    pending: int
    leaving: int
    desired: int


class AutoScalingGroup:
    """One group. All exceptions but `GroupUnusable` are botocore's.

    Args:
        client: boto3's client.
        name: the group's name.
    """

    def __init__(self, client: AutoScalingClient, name: str) -> None:
        self._client = client
        self._name = name

    def capacity(self) -> Capacity:
        """Describe the group as it is now.

        Raises:
            GroupUnusable: there is no such group in this region, or it may not be described.
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

    def suspend_rebalancing(self) -> None:
        """Keep the group from terminating instances to even out its Availability Zones. Repeating it changes nothing.

        Workers that end themselves leave the zones uneven, and rebalancing does not wait for builds.
        """
        self._client.suspend_processes(AutoScalingGroupName=self._name, ScalingProcesses=["AZRebalance"])


class Member:
    """An instance in its group. All exceptions are botocore's."""

    def __init__(self, client: AutoScalingClient, group: str, instance: str) -> None:
        self._client = client
        self._group = group
        self._instance = instance

    @classmethod
    def find(cls, client: AutoScalingClient, instance: str) -> Member | None:
        """Find the group of an instance; None if it is in none."""
        found = client.describe_auto_scaling_instances(InstanceIds=[instance])["AutoScalingInstances"]
        return cls(client, found[0]["AutoScalingGroupName"], instance) if found else None

    def protect(self, wanted: bool) -> None:
        """Protect this instance from scale-in, or stop protecting it."""
        self._client.set_instance_protection(
            AutoScalingGroupName=self._group, InstanceIds=[self._instance], ProtectedFromScaleIn=wanted
        )

    def leave(self) -> None:
        """Terminate this instance and lower the desired capacity; refused at the minimum size."""
        self._client.terminate_instance_in_auto_scaling_group(
            InstanceId=self._instance, ShouldDecrementDesiredCapacity=True
        )

    def replace(self) -> None:
        """Terminate this instance and keep the desired capacity, so that the group launches another."""
        self._client.terminate_instance_in_auto_scaling_group(
            InstanceId=self._instance, ShouldDecrementDesiredCapacity=False
        )

    def mark_unhealthy(self) -> None:
        """Have the group replace this instance, without the health check grace period."""
        self._client.set_instance_health(
            InstanceId=self._instance, HealthStatus="Unhealthy", ShouldRespectGracePeriod=False
        )

    def still_here(self) -> None:
        """Extend the wait of the termination hook."""
        for hook in self._hooks():
            self._client.record_lifecycle_action_heartbeat(
                AutoScalingGroupName=self._group, LifecycleHookName=hook, InstanceId=self._instance
            )

    def ready_to_go(self) -> None:
        """Complete the lifecycle action of the termination hook."""
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
    """Classify a lifecycle state; an instance in a warm pool is neither in service nor pending."""
    if state == "InService":
        return "in service"
    if state.startswith("Warmed"):
        return "warmed"
    return "pending" if state.startswith("Pending") else "leaving"

"""A machine's own part in its Auto Scaling group: protection from scale-in, and the way out."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_autoscaling import AutoScalingClient

_TERMINATING = "autoscaling:EC2_INSTANCE_TERMINATING"


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

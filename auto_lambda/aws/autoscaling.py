"""Auto Scaling groups, as far as we look at them. What changes them is not here."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_autoscaling import AutoScalingClient

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


class Group:
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


def _kind(state: str) -> str:
    """Of a life-cycle state; a machine of a warm pool is neither here nor on its way."""
    if state == "InService":
        return "in service"
    if state.startswith("Warmed"):
        return "warmed"
    return "pending" if state.startswith("Pending") else "leaving"

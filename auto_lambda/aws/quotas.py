"""Reads quotas of the account that limit a pipeline, and how much of them is used. Every call only reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

_SPOT, _ON_DEMAND = "L-34B43A08", "L-1216C47A"
"""Service Quotas: 'All Standard Spot Instance Requests' and 'Running On-Demand Standard instances', in vCPUs."""


@dataclass(frozen=True, slots=True)
class FunctionQuotas:
    """Lambda's quotas in a region: bytes of code and layers, and executions at the same time."""

    code_bytes: int
    code_bytes_used: int
    executions: int
    executions_unreserved: int


class AccountQuotas:
    """The account's quotas in one region. Exceptions are botocore's.

    Args:
        client: makes a client by boto3's name of a service.
    """

    def __init__(self, client: Callable[[str], Any]) -> None:
        self._client = client

    def vcpus(self) -> tuple[int, int]:
        """Return the vCPUs that may run as Spot Instances, and on demand."""
        return self._of_ec2(_SPOT), self._of_ec2(_ON_DEMAND)

    def _of_ec2(self, code: str) -> int:
        found = self._client("service-quotas").get_service_quota(ServiceCode="ec2", QuotaCode=code)
        return int(found["Quota"]["Value"])

    def functions(self) -> FunctionQuotas:
        """Return Lambda's quotas."""
        found = self._client("lambda").get_account_settings()
        limit, usage = found["AccountLimit"], found["AccountUsage"]
        return FunctionQuotas(
            int(limit["TotalCodeSize"]),
            int(usage["TotalCodeSize"]),
            int(limit["ConcurrentExecutions"]),
            int(limit["UnreservedConcurrentExecutions"]),
        )

    def rest_apis(self) -> Counter[str]:
        """Return how many REST APIs there are of each type of endpoint."""
        pages = self._client("apigateway").get_paginator("get_rest_apis").paginate()
        apis = (api for page in pages for api in page["items"])
        return Counter(api.get("endpointConfiguration", {}).get("types", ["EDGE"])[0] for api in apis)

    def largest_group(self, name: str) -> tuple[int, int] | None:
        """Return the maximum size of an Auto Scaling group, and its on-demand percentage; None if there is none."""
        groups = self._client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[name])
        for group in groups["AutoScalingGroups"]:
            spread = group.get("MixedInstancesPolicy", {}).get("InstancesDistribution", {})
            return group["MaxSize"], spread.get("OnDemandPercentageAboveBaseCapacity", 100)
        return None

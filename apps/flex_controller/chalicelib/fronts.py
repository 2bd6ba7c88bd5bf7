"""Looks at what answers an app: the only place that asks the load balancer, its target group, ECS and the alarms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import urllib3
from botocore.exceptions import ClientError

from .model import Flex, Tasks

HEALTH = "/.auto-lambda/health"
_SECONDS = 5.0
_GONE = {"TargetGroupNotFound", "TargetGroupNotFoundException", "ClusterNotFoundException", "ServiceNotFoundException"}


class Fronts:
    """The Fargate side of an app, and what its alarms say.

    Args:
        elbv2: a boto3 client.
        ecs: a boto3 client.
        cloudwatch: a boto3 client.
        ask: asks a load balancer for its tasks' health; `answers` by default.
    """

    def __init__(self, elbv2: Any, ecs: Any, cloudwatch: Any, ask: Callable[[str, str], bool] | None = None) -> None:
        self._elbv2 = elbv2
        self._ecs = ecs
        self._cloudwatch = cloudwatch
        self._ask = ask or answers

    def alarms(self, *names: str) -> dict[str, str]:
        """Return the states of alarms by name; those that do not exist are missing."""
        asked = [name for name in names if name]
        if not asked:
            return {}
        told = self._cloudwatch.describe_alarms(AlarmNames=asked)
        return {one["AlarmName"]: one["StateValue"] for one in told.get("MetricAlarms", ())}

    def tasks(self, flex: Flex, service: str) -> Tasks:
        """Return the tasks of a service.

        Args:
            flex: the stack.
            service: the service's ARN; empty if there is none yet.
        """
        healthy = self._healthy(flex.outputs.get("TargetGroupArn", ""))
        cluster, _, name = service.rpartition("/")
        told = self._service(cluster.rpartition("/")[2], name) if cluster else {}
        said = next((one.get("message", "") for one in told.get("events") or ()), "")
        running, desired = told.get("runningCount", 0), told.get("desiredCount", 0)
        return Tasks(healthy, running, desired, said if running < desired else "")

    def answers(self, flex: Flex) -> bool:
        """Tell whether the load balancer answers for the app's domain."""
        url = flex.outputs.get("LoadBalancerUrl", "")
        domain = flex.outputs.get("Domain", "")
        return bool(url and domain) and self._ask(url, domain)

    def _healthy(self, target_group: str) -> int:
        if not target_group:
            return 0
        try:
            told = self._elbv2.describe_target_health(TargetGroupArn=target_group)["TargetHealthDescriptions"]
        except ClientError as error:
            if error.response["Error"]["Code"] in _GONE:
                return 0
            raise
        return sum(one["TargetHealth"]["State"] == "healthy" for one in told)

    def _service(self, cluster: str, name: str) -> Any:
        try:
            told = self._ecs.describe_services(cluster=cluster, services=[name])["services"]
        except ClientError as error:
            if error.response["Error"]["Code"] in _GONE:
                return {}
            raise
        return told[0] if told else {}


def answers(url: str, domain: str) -> bool:
    """Ask a load balancer under its own name for the health of a domain, whose certificate it has to show."""
    target = urlsplit(url)
    host, path = target.hostname or "", target.path.rstrip("/") + HEALTH
    pool: urllib3.HTTPConnectionPool
    if target.scheme == "https":
        pool = urllib3.HTTPSConnectionPool(host, target.port or 443, server_hostname=domain, assert_hostname=domain)
    else:
        pool = urllib3.HTTPConnectionPool(host, target.port or 80)
    headers = {"Host": domain} if target.scheme == "https" else {}
    with pool:
        try:
            told = pool.request("GET", path, headers=headers, timeout=_SECONDS, retries=False, redirect=False)
        except urllib3.exceptions.HTTPError:
            return False
        return bool(told.status == 200)

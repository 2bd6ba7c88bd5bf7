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
        emulator: the URL of an emulator, below which it has the load balancers; empty on AWS.
        ask_: asks a load balancer for its tasks' health; `ask` by default.
    """

    def __init__(
        self,
        elbv2: Any,
        ecs: Any,
        cloudwatch: Any,
        emulator: str = "",
        ask_: Callable[[str, str], str] | None = None,
    ) -> None:
        self._elbv2 = elbv2
        self._ecs = ecs
        self._cloudwatch = cloudwatch
        self._emulator = emulator
        self._ask = ask_ or ask

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
            service: its cluster and name, as ``cluster/name``; empty if there is none yet.
        """
        healthy = self._healthy(flex.outputs.get("TargetGroupArn", ""))
        cluster, _, name = service.partition("/")
        told = self._service(cluster, name) if name else {}
        said = next((one.get("message", "") for one in told.get("events") or ()), "")
        running, desired = told.get("runningCount", 0), told.get("desiredCount", 0)
        return Tasks(healthy, running, desired, said if running < desired else "")

    def trouble(self, flex: Flex) -> str:
        """Return why the load balancer does not answer for the app's domain, nothing if it does."""
        url = flex.outputs.get("LoadBalancerUrl", "")
        if self._emulator and url:
            _, name, *_ = flex.outputs["LoadBalancer"].split("/")  # app/name/id
            url = f"{self._emulator}/_alb/{name}"
        domain = flex.outputs.get("Domain", "")
        return self._ask(url, domain) if url and domain else "there is none"

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


def ask(url: str, domain: str) -> str:
    """Ask a load balancer under its own name for the health of a domain, whose certificate it has to show.

    Returns:
        what is wrong with the answer; nothing if it is healthy.
    """
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
        except urllib3.exceptions.HTTPError as error:
            return str(error)[:300]
        return "" if told.status == 200 else f"{told.status} for {HEALTH}"

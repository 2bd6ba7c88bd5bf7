"""What the account's quotas allow, and what is said of those that are too small."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from auto_lambda.aws.quotas import AccountQuotas
from worker.operations.doctor import quotas
from worker.operations.doctor.finding import Finding

GIGABYTE = 1024**3


class Account:
    """An account as AWS describes it."""

    def __init__(self) -> None:
        self.vcpus = {"L-34B43A08": 64.0, "L-1216C47A": 64.0}
        self.groups: list[dict[str, Any]] = [self.group(10)]
        self.code_bytes, self.executions = 10 * GIGABYTE, 1000
        self.apis = ["REGIONAL"] * 3
        self.denied = False

    @staticmethod
    def group(most: int, on_demand: int | None = 0) -> dict[str, Any]:
        spread = {"InstancesDistribution": {"OnDemandPercentageAboveBaseCapacity": on_demand}}
        return {"MaxSize": most, **({"MixedInstancesPolicy": spread} if on_demand is not None else {})}

    def client(self, service: str) -> Account:
        if self.denied:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, service)
        return self

    def get_service_quota(self, ServiceCode: str, QuotaCode: str) -> dict[str, Any]:  # noqa: N803
        assert ServiceCode == "ec2"
        return {"Quota": {"Value": self.vcpus[QuotaCode]}}

    def get_account_settings(self) -> dict[str, Any]:
        executions = {"ConcurrentExecutions": self.executions, "UnreservedConcurrentExecutions": self.executions}
        return {
            "AccountLimit": {"TotalCodeSize": 75 * GIGABYTE, **executions},
            "AccountUsage": {"TotalCodeSize": self.code_bytes},
        }

    def get_paginator(self, operation: str) -> Account:
        assert operation == "get_rest_apis"
        return self

    def paginate(self) -> list[dict[str, Any]]:
        return [{"items": [{"endpointConfiguration": {"types": [kind]}} for kind in self.apis]}, {"items": [{}]}]

    def describe_auto_scaling_groups(self, AutoScalingGroupNames: list[str]) -> dict[str, Any]:  # noqa: N803
        assert AutoScalingGroupNames == ["auto-lambda-workers"]
        return {"AutoScalingGroups": self.groups}


def look(change: Callable[[Account], None] = lambda _: None) -> dict[str, Finding]:
    account = Account()
    change(account)
    found = quotas.quotas(AccountQuotas(account.client), "auto-lambda-workers")
    return {finding.what: finding for finding in found}


def test_an_account_with_room_is_fine() -> None:
    found = look()
    assert found.keys() == {"instances", "code storage", "concurrency", "REST APIs"}
    assert {finding.verdict for finding in found.values()} == {"fine"}


def new_account(account: Account) -> None:
    account.vcpus["L-34B43A08"] = 5.0


def test_a_new_account_has_spot_vcpus_for_two_workers() -> None:
    found = look(new_account)["instances"]
    assert found.verdict == "warning"
    assert "may grow to 10 workers" in found.found
    assert "Spot instances may have 5 vCPUs, enough for 2 workers" in found.found
    assert "WorkersMax" in str(found.advice)


@pytest.mark.parametrize(("on_demand", "verdict"), [(100, "fine"), (None, "fine"), (80, "fine"), (70, "warning")])
def test_what_runs_on_demand_needs_no_spot(on_demand: int | None, verdict: str) -> None:
    def change(account: Account) -> None:
        new_account(account)
        account.groups = [account.group(10, on_demand)]

    assert look(change)["instances"].verdict == verdict


def test_without_a_group_the_quotas_are_only_told() -> None:
    found = look(lambda account: account.groups.clear())["instances"]
    assert (found.verdict, "64 vCPUs" in found.found) == ("fine", True)


def fill_storage(account: Account) -> None:
    account.code_bytes = 70 * GIGABYTE


def few_executions(account: Account) -> None:
    account.executions = 10


def many_edge_apis(account: Account) -> None:
    account.apis = ["EDGE"] * 110


@pytest.mark.parametrize(
    ("change", "what", "told"),
    [
        (fill_storage, "code storage", "70.0 of 75 GB"),
        (few_executions, "concurrency", "10 executions"),
        (many_edge_apis, "REST APIs", "111 of 120 EDGE"),
    ],
)
def test_a_quota_that_is_nearly_reached_is_warned_of(change: Callable[[Account], None], what: str, told: str) -> None:
    found = look(change)
    assert (found[what].verdict, told in found[what].found) == ("warning", True)
    assert {finding.verdict for name, finding in found.items() if name != what} == {"fine"}


def test_how_often_an_api_may_be_made_is_told() -> None:
    assert "a new one every 5 s, if it is EDGE every 30 s" in look()["REST APIs"].found


def test_what_may_not_be_read_is_not_known() -> None:
    def deny(account: Account) -> None:
        account.denied = True

    assert {finding.verdict for finding in look(deny).values()} == {"unknown"}

"""The page of VPC endpoints: the services that our programs call, and the rules for what leaves the instances."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from botocore.utils import get_environ_proxies
from iam.direct import CALLS, Who
from iam.template import PipelineStack
from pipeline_template import REPOSITORY

from worker.index.upstream import proxy_for

PAGE = (REPOSITORY / "docs/how-to/vpc-endpoints.md").read_text()
ENDPOINTS = {"cloudwatch": "monitoring", "kinesis": "kinesis-streams"}
"""Endpoints that are not named as the service's actions are."""
GATEWAYS = {"s3", "dynamodb"}
URLS = {"execute-api"}
"""What a worker sends a request to after a deployment, which is no call of the SDK."""


def rows() -> dict[str, tuple[str, set[str]]]:
    """The type of each endpoint in the page's table, and whose it is."""
    found = re.findall(r"^\| `([a-z0-9-]+)` \| (\w+) \| ([a-z, ]+) \|", PAGE, re.MULTILINE)
    return {name: (kind, set(whose.split(", "))) for name, kind, whose in found}


def endpoint(service: str) -> str:
    return ENDPOINTS.get(service, service)


def called(who: Who) -> set[str]:
    return {endpoint(service) for (service, _), callers in CALLS.items() if who in callers}


def granted(document: Any) -> set[str]:
    """The endpoints of the services whose actions a policy names."""
    actions = [
        action
        for one in document["Statement"]
        for action in (one["Action"] if isinstance(one["Action"], list) else [one["Action"]])
    ]
    return {endpoint(action.partition(":")[0]) for action in actions}


def image_policy() -> Any:
    page = (REPOSITORY / "docs/how-to/build-the-image.md").read_text()
    (text,) = re.findall(r"^```json\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    return json.loads(text)


AGENTS = granted(PipelineStack().document("MachineBasics"))


@pytest.mark.parametrize(
    ("program", "needed"),
    [
        ("worker", called(Who.WORKER) | AGENTS | URLS),
        ("checker", called(Who.CHECKER) | AGENTS),
        ("image", called(Who.IMAGE) | granted(image_policy())),
    ],
)
def test_the_page_lists_the_services_that_a_program_calls_and_no_others(program: str, needed: set[str]) -> None:
    assert {name for name, (_, whose) in rows().items() if program in whose} == needed


def test_the_gateways_are_those_that_aws_has() -> None:
    assert {name for name, (kind, _) in rows().items() if kind == "gateway"} == GATEWAYS
    assert {kind for kind, _ in rows().values()} == {"gateway", "interface"}


def test_the_page_of_costs_counts_a_workers_interface_endpoints() -> None:
    number = sum(kind == "interface" and "worker" in whose for kind, whose in rows().values())
    costs = (REPOSITORY / "docs/reference/costs.md").read_text()
    assert f"a worker [needs up to {number}](" in costs


def test_the_example_makes_every_endpoint_of_the_table() -> None:
    gateways, interfaces = re.findall(r"^for service in ([^;]*); do$", PAGE, re.MULTILINE)
    fleet = {name: kind for name, (kind, whose) in rows().items() if {"worker", "checker"} & whose}
    assert set(gateways.split()) == {name for name, kind in fleet.items() if kind == "gateway"}
    assert set(interfaces.split()) == {name for name, kind in fleet.items() if kind == "interface"}


def test_the_proxy_of_the_page_is_for_the_index_and_not_for_endpoints(monkeypatch: pytest.MonkeyPatch) -> None:
    values = dict(re.findall(r"--name \$path/(\w+) --value (\S+)$", PAGE, re.MULTILINE))
    for name in ("ALL_PROXY", "all_proxy", *values, *map(str.lower, values)):
        monkeypatch.delenv(name, raising=False)
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    assert get_environ_proxies("https://sqs.eu-west-1.amazonaws.com") == {}
    assert proxy_for("packages.example") == values["HTTPS_PROXY"]
    assert proxy_for("domain-111122223333.d.codeartifact.eu-west-1.amazonaws.com") is None


# --- what leaves the instances ---


def group(**parameters: str) -> Any:
    stack = PipelineStack(parameters)
    return stack.resolve(stack.template["Resources"]["NoInboundTraffic"]["Properties"])


def test_by_default_instances_reach_every_address_on_one_port() -> None:
    (rule,) = group()["SecurityGroupEgress"]
    assert (rule["CidrIp"], rule["FromPort"], rule["ToPort"]) == ("0.0.0.0/0", 443, 443)


def test_addresses_and_a_prefix_list_can_be_chosen() -> None:
    rules = group(EgressCidr="10.1.0.0/16", EgressPrefixListId="pl-6da54004")["SecurityGroupEgress"]
    assert [rule.get("CidrIp", rule.get("DestinationPrefixListId")) for rule in rules] == ["10.1.0.0/16", "pl-6da54004"]
    assert {(rule["FromPort"], rule["ToPort"]) for rule in rules} == {(443, 443)}
    assert all(rule["Description"] for rule in rules)


def test_a_group_that_is_given_takes_the_place_of_the_stacks_own() -> None:
    own, given = PipelineStack(), PipelineStack({"SecurityGroupId": "sg-0a1b2c3d"})
    assert given.output("SecurityGroup") == "sg-0a1b2c3d" != own.output("SecurityGroup")
    for name in ("WorkerTemplate", "CheckerTemplate"):
        launched = given.resolve(
            given.template["Resources"][name]["Properties"]["LaunchTemplateData"]["SecurityGroupIds"]
        )
        assert launched == ["sg-0a1b2c3d"]

"""An app has the name that is made of its own, and those that it is granted; nobody else's."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from drafts import ACCOUNT, APP, DOMAIN_OF_PIPELINE, SURROUNDINGS, Maker, rest_template, with_template

from auto_lambda.errors import AppError, Code
from auto_lambda.grants import Grants
from worker.deploy.gate.access import AppAccess
from worker.deploy.gate.gate import pass_gate
from worker.model import DeployTarget

TARGET = replace(SURROUNDINGS, domain=DOMAIN_OF_PIPELINE)
with tempfile.TemporaryDirectory() as folder:
    GOOD = Maker(Path(folder), TARGET).bundle(rest_template())
OWN = "shop-dev.apps.example.com"


def refusal(change: Callable[[dict[str, Any]], object], target: DeployTarget = TARGET, *granted: str) -> str:
    template = copy.deepcopy(GOOD.template)
    change(template["Resources"])
    try:
        pass_gate(with_template(GOOD, template), target, AppAccess(APP, Grants(domains=granted)))
    except AppError as error:
        return error.message if error.code is Code.TEMPLATE_REFUSED else ""
    return ""


def sets(name: str, **changed: Any) -> Callable[[dict[str, Any]], object]:
    return lambda resources: resources[name]["Properties"].update(changed)


def named(name: str) -> Callable[[dict[str, Any]], object]:
    def change(resources: dict[str, Any]) -> None:
        resources["AutoLambdaDomain"]["Properties"]["DomainName"] = name
        resources["AutoLambdaRecord"]["Properties"]["Name"] = f"{name}."

    return change


def test_the_own_name_below_the_pipelines_domain_passes() -> None:
    assert GOOD.template["Resources"]["AutoLambdaDomain"]["Properties"]["DomainName"] == OWN
    assert not refusal(lambda _: None)


@pytest.mark.parametrize(
    "name",
    [
        "bank-prod.apps.example.com", "shop-dev-x.apps.example.com", "x.shop-dev.apps.example.com", "apps.example.com",
        "shop-dev.example.com", "shop-dev.apps.example.com.evil.com", "*.apps.example.com", "SHOP-DEV.apps.example.com",
        "shop-dev.apps.example.com.", "", "shop.example.com",
    ],
)  # fmt: skip
def test_any_other_name_is_refused(name: str) -> None:
    assert "AutoLambdaDomain: DomainName" in refusal(named(name))
    assert "AutoLambdaDomain: DomainName" in refusal(sets("AutoLambdaDomain", DomainName={"Fn::Sub": name}))


def test_a_granted_name_passes_for_this_app() -> None:
    assert not refusal(named("buy.apps.example.com"), TARGET, "buy.apps.example.com")
    assert refusal(named("sell.apps.example.com"), TARGET, "buy.apps.example.com")
    assert refusal(named("a.b.apps.example.com"), TARGET, "buy.apps.example.com")


def test_no_name_passes_in_a_pipeline_without_a_domain() -> None:
    said = refusal(lambda _: None, SURROUNDINGS)
    assert "AutoLambdaDomain: DomainName" in said
    assert "AutoLambdaRecord: the pipeline has no domain" in said


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"Name": "bank-prod.apps.example.com."}, "AutoLambdaRecord: Name"),
        ({"Name": "apps.example.com."}, "AutoLambdaRecord: Name"),
        ({"Name": "*.apps.example.com."}, "AutoLambdaRecord: Name"),
        ({"HostedZoneId": "Z999"}, "AutoLambdaRecord: HostedZoneId"),
        ({"HostedZoneName": "example.com."}, "AutoLambdaRecord: HostedZoneName"),
        ({"Type": "NS"}, "AutoLambdaRecord: Type"),
        ({"Type": "TXT"}, "AutoLambdaRecord: Type"),
        ({"ResourceRecords": ["evil.example.org"]}, "AutoLambdaRecord: ResourceRecords"),
        ({"ResourceRecords": [{"Ref": "Rest"}]}, "AutoLambdaRecord: ResourceRecords"),
        ({"ResourceRecords": []}, "AutoLambdaRecord: ResourceRecords"),
        ({"AliasTarget": {"DNSName": "x", "HostedZoneId": "Z"}}, "AutoLambdaRecord: AliasTarget"),
    ],
    ids=str,
)
def test_a_record_leads_to_the_domain_of_this_template_only(changed: dict[str, Any], said: str) -> None:
    assert said in refusal(sets("AutoLambdaRecord", **changed))


def test_a_record_is_of_the_name_of_its_domain() -> None:
    """A granted name must not lead to another one's domain, whose requests would fail."""
    both = ("buy.apps.example.com", "sell.apps.example.com")
    change = sets("AutoLambdaRecord", Name="buy.apps.example.com.")
    assert "AutoLambdaRecord: ResourceRecords" in refusal(change, TARGET, *both)


@pytest.mark.parametrize(
    "arn",
    [
        f"arn:aws:acm:eu-west-1:{ACCOUNT}:certificate/1", "arn:aws:acm:us-east-1:999999999999:certificate/1",
        f"arn:aws:iam::{ACCOUNT}:server-certificate/1", "", None, {"Ref": "Rest"},
    ],
)  # fmt: skip
def test_certificates_are_of_this_account_and_region(arn: Any) -> None:
    assert "certificate of this account" in refusal(sets("AutoLambdaDomain", RegionalCertificateArn=arn))


def test_a_mapping_refers_to_the_apps_own_api_and_domain() -> None:
    assert "AutoLambdaMapping: RestApiId" in refusal(sets("AutoLambdaMapping", RestApiId="a1b2c3"))
    assert "AutoLambdaMapping: DomainName" in refusal(
        sets("AutoLambdaMapping", DomainName="bank-prod.apps.example.com")
    )

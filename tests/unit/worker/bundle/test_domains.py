from __future__ import annotations

import copy
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from drafts import ACCOUNT, DOMAIN_OF_PIPELINE, SURROUNDINGS, Maker, resource, rest_template

from auto_lambda.keys import App
from auto_lambda.model import Template
from builder.protocol.flex import FlexMessage
from builder.protocol.messages import AppBuilt, DomainMessage
from worker.bundle.assemble import assemble
from worker.bundle.domains import AppDomain, choose, default_domain, front, with_domain

TARGET = replace(SURROUNDINGS, domain=DOMAIN_OF_PIPELINE)
CERTIFICATE = f"arn:aws:acm:us-east-1:{ACCOUNT}:certificate/9-9"
APP = App("dev", "shop")
FLEX = FlexMessage(measure="requests_per_second", above=2, below=1)
SHOP = AppDomain("shop.example.com", CERTIFICATE, "Z1")


def built(tmp_path: Path, **more: Any) -> AppBuilt:
    return _maker(tmp_path).built(rest_template()).result.model_copy(update=more)


def published(tmp_path: Path) -> Template:
    return _maker(tmp_path).bundle(rest_template()).template


def _maker(tmp_path: Path) -> Maker:
    return Maker(Path(tempfile.mkdtemp(dir=tmp_path)))


def http_template() -> Template:
    template = rest_template()
    for name in ("Rest", "RestDeployment", "RestStage", "RestPermission"):
        del template["Resources"][name]
    template["Resources"] |= {
        "Rest": resource("ApiGatewayV2::Api", Name="s", ProtocolType="HTTP"),
        "Stage": resource("ApiGatewayV2::Stage", ApiId={"Ref": "Rest"}, StageName="$default"),
    }
    return template


def test_without_a_domain_of_the_pipeline_nothing_changes(tmp_path: Path) -> None:
    assert choose(APP, built(tmp_path), None).domains == ()
    assert not any("Domain" in one["Type"] for one in published(tmp_path)["Resources"].values())


def test_each_app_gets_a_name_below_the_pipelines_domain(tmp_path: Path) -> None:
    found = Maker(tmp_path, TARGET).bundle(rest_template())
    resources, outputs = found.template["Resources"], found.template["Outputs"]
    assert resources["AutoLambdaDomain"]["Properties"]["DomainName"] == "shop-dev.apps.example.com"
    assert resources["AutoLambdaDomain"]["Properties"]["RegionalCertificateArn"] == DOMAIN_OF_PIPELINE.certificate_arn
    assert resources["AutoLambdaMapping"]["Properties"] == {
        "DomainName": {"Ref": "AutoLambdaDomain"}, "RestApiId": {"Ref": "Rest"}, "Stage": "api",
    }  # fmt: skip
    record = resources["AutoLambdaRecord"]["Properties"]
    assert (record["Name"], record["HostedZoneId"], record["Weight"]) == (
        "shop-dev.apps.example.com.",
        "Z0123456789",
        100,
    )
    assert outputs["AutoLambdaDomain"]["Value"] == "https://shop-dev.apps.example.com/"
    assert outputs["AutoLambdaLambdaFront"]["Value"] == {"Fn::GetAtt": ["AutoLambdaDomain", "RegionalDomainName"]}
    assert "execute-api" in str(outputs["AutoLambdaUrl"])  # which is asked after a deployment, before DNS knows
    assert found.warnings == ()


def test_an_http_api_gets_one_as_well(tmp_path: Path) -> None:
    maker = Maker(tmp_path, TARGET)
    resources = maker.bundle(http_template()).template["Resources"]
    assert resources["AutoLambdaDomain"]["Type"] == "AWS::ApiGatewayV2::DomainName"
    assert resources["AutoLambdaMapping"]["Properties"] == {
        "DomainName": {"Ref": "AutoLambdaDomain"}, "ApiId": {"Ref": "Rest"}, "Stage": "$default",
    }  # fmt: skip


def test_the_record_of_a_flexing_app_is_not_in_its_own_stack(tmp_path: Path) -> None:
    (found,) = choose(APP, built(tmp_path, flex=FLEX), DOMAIN_OF_PIPELINE).domains
    assert found == AppDomain("shop-dev.apps.example.com", DOMAIN_OF_PIPELINE.certificate_arn, None)


def test_a_name_of_the_settings_needs_a_grant_and_a_certificate(tmp_path: Path) -> None:
    asked = DomainMessage(name="shop.example.com", certificate_arn=CERTIFICATE, base_path="v1")
    own = built(tmp_path, domains=[asked])
    refused = choose(APP, own, DOMAIN_OF_PIPELINE)
    assert [one.name for one in refused.domains] == ["shop-dev.apps.example.com"]
    assert 'grants: domains: ["shop.example.com"]' in refused.warnings[0]

    found = choose(APP, own, DOMAIN_OF_PIPELINE, ["*.example.com"])
    assert found.domains == (AppDomain("shop.example.com", CERTIFICATE, None, "v1"),)
    assert "point shop.example.com at the API" in found.warnings[0]

    bare = built(tmp_path, domains=[DomainMessage(name="shop.example.com")])
    assert "needs a certificate" in choose(APP, bare, DOMAIN_OF_PIPELINE, ["shop.example.com"]).warnings[0]


def test_another_name_below_the_pipelines_domain_has_its_certificate_and_zone(tmp_path: Path) -> None:
    own = built(tmp_path, domains=[DomainMessage(name="buy.apps.example.com")])
    assert [one.name for one in choose(APP, own, DOMAIN_OF_PIPELINE).domains] == ["shop-dev.apps.example.com"]
    (found,) = choose(APP, own, DOMAIN_OF_PIPELINE, ["buy.apps.example.com"]).domains
    assert (found.certificate_arn, found.zone_id) == (DOMAIN_OF_PIPELINE.certificate_arn, DOMAIN_OF_PIPELINE.zone_id)


def test_too_long_a_name_gets_none() -> None:
    assert default_domain(App("s" * 40, "n" * 40), DOMAIN_OF_PIPELINE) is None


def test_a_base_path_is_part_of_the_url(tmp_path: Path) -> None:
    found = with_domain(published(tmp_path), replace(SHOP, base_path="v1"))
    assert found["Resources"]["AutoLambdaMapping"]["Properties"]["BasePath"] == "v1"
    assert found["Outputs"]["AutoLambdaDomain"]["Value"] == "https://shop.example.com/v1/"


def test_web_sockets_have_a_name_of_their_own(tmp_path: Path) -> None:
    template = published(tmp_path)
    template["Resources"] |= {
        "Sockets": resource("ApiGatewayV2::Api", Name="s", ProtocolType="WEBSOCKET"),
        "SocketStage": resource("ApiGatewayV2::Stage", ApiId={"Ref": "Sockets"}, StageName="live"),
    }
    found = with_domain(with_domain(template, SHOP), AppDomain("ws.example.com", CERTIFICATE, "Z1", sockets=True))
    assert found["Resources"]["AutoLambdaDomainSockets"]["Properties"]["DomainName"] == "ws.example.com"
    assert found["Resources"]["AutoLambdaMappingSockets"]["Properties"]["ApiId"] == {"Ref": "Sockets"}
    assert found["Outputs"]["AutoLambdaDomain"]["Value"] == "https://shop.example.com/"


def test_an_app_without_an_api_gets_none(tmp_path: Path) -> None:
    maker = Maker(tmp_path, TARGET)
    bundle = assemble(APP, maker.built(rest_template(), url=False), maker._next(), TARGET)
    assert front(bundle.template) is None
    assert "AutoLambdaDomain" not in bundle.template["Resources"]


def test_a_logical_id_that_is_taken_is_an_error_of_the_app(tmp_path: Path) -> None:
    template = published(tmp_path)
    template["Resources"]["AutoLambdaDomain"] = copy.deepcopy(template["Resources"]["Role"])
    with pytest.raises(Exception, match="AutoLambdaDomain: a resource of the app has the logical id"):
        with_domain(template, SHOP)

"""What cannot run on Fargate as it does on Lambda is refused with the reason, before anything is changed."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from drafts import (
    DOMAIN_OF_PIPELINE,
    SURROUNDINGS,
    Maker,
    execute_api,
    function,
    integration,
    permission,
    resource,
    rest_template,
)
from flex_parts import FLEX, GIVEN
from flex_parts import FLEX_TARGET as TARGET
from flex_parts import flexing_bundle as bundle

from auto_lambda.errors import AppError, Code
from auto_lambda.model import FrameworkName, Template
from builder.protocol.messages import DomainMessage
from worker.bundle.assemble import assemble, renew
from worker.deploy.flex.fitness import require_fit
from worker.model import Bundle, DeployTarget


def refused(made: Bundle, target: DeployTarget = TARGET) -> str:
    with pytest.raises(AppError) as caught:
        require_fit(made, target)
    assert caught.value.code is Code.CANNOT_FLEX
    return caught.value.message


def with_resources(**more: Any) -> Template:
    template = rest_template()
    template["Resources"] |= more
    return template


def second_function() -> Template:
    template = with_resources(Other=function("app.other"), P=permission("Other", "apigateway", execute_api("Rest")))
    paths = template["Resources"]["Rest"]["Properties"]["Body"]["paths"]
    paths["/other"] = {"get": {"responses": {}, "x-amazon-apigateway-integration": integration("Other")}}
    return template


def guarded_by_iam() -> Template:
    template = rest_template()
    body = template["Resources"]["Rest"]["Properties"]["Body"]
    signed = {"type": "apiKey", "name": "Authorization", "in": "header", "x-amazon-apigateway-authtype": "awsSigv4"}
    body["securityDefinitions"] = {"sigv4": signed}
    body["paths"]["/"]["get"]["security"] = [{"sigv4": []}]
    return template


@pytest.mark.parametrize("framework", ["chalice", "zappa"])
def test_an_app_of_either_framework_is_fit(framework: FrameworkName) -> None:
    require_fit(replace(bundle(), framework=framework), TARGET)


def test_an_app_of_one_function_behind_an_api_is_fit() -> None:
    require_fit(bundle(), TARGET)


def test_an_app_that_does_not_ask_is_never_refused() -> None:
    require_fit(replace(bundle(), flex=None), SURROUNDINGS)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda: bundle(url=False), "it has no HTTP API"),
        (lambda: bundle(second_function()), "its API calls several functions (Api, Other)"),
        (
            lambda: bundle(with_resources(S=resource("ApiGatewayV2::Api", Name="s", ProtocolType="WEBSOCKET"))),
            "it has a WebSocket API (S)",
        ),
        (
            lambda: bundle(with_resources(U=resource("Lambda::Url", InvokeMode="RESPONSE_STREAM"))),
            "it answers in a stream (U)",
        ),
        (lambda: bundle(network="given"), "the pipeline names no network"),
        (lambda: bundle(rest_template(VpcConfig={"SubnetIds": ["subnet-1"]})), "its function is in a network"),
        (lambda: bundle(guarded_by_iam()), "GET /: it asks for IAM's signatures"),
        (lambda: bundle(domain="buy.apps.example.com"), 'grants: domains: ["buy.apps.example.com"]'),
    ],
)
def test_what_cannot_flex_is_told(made: Callable[[], Bundle], said: str) -> None:
    assert said in refused(made())


def test_a_pipeline_without_a_domain_cannot_move_traffic() -> None:
    assert "no domain with a certificate" in refused(bundle(target=SURROUNDINGS), SURROUNDINGS)


def test_a_name_elsewhere_has_records_elsewhere() -> None:
    found = bundle()
    template = rest_template()
    maker = Maker(Path(tempfile.mkdtemp()), TARGET)
    built = maker.built(template)
    domain = DomainMessage(name="shop.example.org", certificate_arn=DOMAIN_OF_PIPELINE.certificate_arn)
    result = built.result.model_copy(update={"framework": "zappa", "flex": found.flex, "domains": [domain]})
    made = assemble(maker.app, replace(built, result=result), maker._next(), TARGET, granted_domains=("*.example.org",))
    assert "shop.example.org is not below apps.example.com" in refused(made)


def test_an_api_below_a_path_is_refused() -> None:
    maker = Maker(Path(tempfile.mkdtemp()), TARGET)
    built = maker.built(rest_template())
    domain = DomainMessage(name=f"shop-dev.{DOMAIN_OF_PIPELINE.name}", base_path="v1")
    result = built.result.model_copy(update={"framework": "zappa", "flex": FLEX, "domains": [domain]})
    made = assemble(maker.app, replace(built, result=result), maker._next(), TARGET)
    assert "its API is below the path /v1 of its domain" in refused(made)


def test_the_given_network_is_fit_if_there_is_one() -> None:
    target = replace(TARGET, flex=GIVEN)
    require_fit(bundle(rest_template(VpcConfig={"SubnetIds": ["subnet-1"]}), target, network="given"), target)


def test_a_boundary_of_awss_own_does_not_tell_the_account() -> None:
    target = replace(TARGET, boundary_arn="arn:aws:iam::aws:policy/PowerUserAccess")
    assert "does not tell the account" in refused(bundle(), target)


def test_all_reasons_are_told_at_once() -> None:
    said = refused(bundle(second_function(), network="given"))
    assert len(said.splitlines()) == 3


def test_a_configuration_that_tasks_would_not_load_is_refused(tmp_path: Path) -> None:
    made = renew(bundle(), tmp_path, TARGET, narrow=False, revision="r1")
    assert "configuration in Parameter Store" in refused(made)


def test_a_release_command_that_tasks_would_come_before_is_refused() -> None:
    assert "release command" in refused(replace(bundle(), release_command={"manage": "migrate"}))


STANDING: dict[str, Any] = {"variant": "standing-load-balancer"}


def test_an_app_that_takes_a_load_balancers_events_may_stand_behind_one() -> None:
    made = bundle(**STANDING)
    require_fit(replace(made, serves="wsgi"), TARGET)
    assert "a load balancer's events" in refused(replace(made, serves="lambda"))


@pytest.mark.parametrize(
    ("resources", "said"),
    [
        ({"M": resource("ApiGateway::Method", AuthorizationType="AWS_IAM")}, "lets everybody"),
        ({"M": resource("ApiGateway::Method", ApiKeyRequired=True)}, "lets everybody"),
        ({"M": resource("ApiGateway::Method", Integration={"Type": "MOCK"})}, "answers itself (M, as for `cors`)"),
        ({"R": resource("ApiGatewayV2::Route", AuthorizationType="JWT")}, "lets everybody"),
        ({"A": resource("ApiGateway::RestApi", Policy={"Statement": []})}, "resource policy (A)"),
    ],
)
def test_a_load_balancer_must_not_pass_by_what_the_api_decides(resources: dict[str, Any], said: str) -> None:
    template = with_resources(**resources)
    made = replace(bundle(**STANDING), template=template, serves="wsgi")
    assert said in refused(made)

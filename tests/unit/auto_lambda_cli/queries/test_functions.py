"""The functions of what is live, by the names that people use."""

from __future__ import annotations

import json

import boto3
import pytest
from seen_pipeline import SHOP, SeenPipeline

from auto_lambda_cli.queries.functions import NoSuchFunction, function_alias, functions
from auto_lambda_cli.queries.parts import Unknown
from auto_lambda_cli.queries.samples import kinds, sample
from auto_lambda_cli.queries.services import Services

ARN = "arn:aws:lambda:us-east-1:123456789012:function:"


@pytest.fixture
def deployed(pipeline: SeenPipeline) -> None:
    values = {
        "AutoLambdaFunction": "shop-dev",
        "AutoLambdaAliasSendMail": f"{ARN}al-shop-dev-SendMail-X1:live",
        "AutoLambdaAliasAPIHandler": f"{ARN}shop-dev:live",
        "AutoLambdaUrl": "https://shop.example/",
    }
    template = {
        "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
        "Outputs": {name: {"Value": value} for name, value in values.items()},
    }
    boto3.client("cloudformation").create_stack(StackName=SHOP.stack, TemplateBody=json.dumps(template))


def test_the_main_function_comes_first(deployed: None, services: Services) -> None:
    found = functions(services, SHOP)
    assert not isinstance(found, Unknown)
    assert [(it.name, it.main) for it in found] == [("APIHandler", True), ("SendMail", False)]
    assert function_alias(services, SHOP, None).arn == f"{ARN}shop-dev:live"


@pytest.mark.parametrize("name", ["SendMail", "send_mail", "sendmail", "al-shop-dev-SendMail-X1"])
def test_a_function_goes_by_its_name_in_python_in_the_stack_and_in_aws(
    deployed: None, services: Services, name: str
) -> None:
    assert function_alias(services, SHOP, name).name == "SendMail"


def test_no_such_function_lists_those_that_there_are(deployed: None, services: Services) -> None:
    with pytest.raises(NoSuchFunction, match="it has APIHandler, SendMail"):
        function_alias(services, SHOP, "other")


def test_an_app_that_is_not_live_has_none(pipeline: SeenPipeline, services: Services) -> None:
    with pytest.raises(NoSuchFunction, match="dev/shop is not live"):
        function_alias(services, SHOP, None)


def test_without_permission_the_receipt_names_the_main_one(
    pipeline: SeenPipeline, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("auto_lambda_cli.queries.functions.ask", lambda part, _: Unknown(part, "not allowed"))
    pipeline.go_live(pipeline.drop())
    assert function_alias(services, SHOP, None).arn == "shop-dev:live"
    with pytest.raises(NoSuchFunction, match="not allowed"):
        function_alias(services, SHOP, "send_mail")


@pytest.mark.parametrize("kind", kinds())
def test_each_sample_is_json(kind: str) -> None:
    made = sample(kind, SHOP)
    assert made
    assert json.loads(json.dumps(made)) == made


def test_there_is_no_other_sample() -> None:
    assert sample("letter", SHOP) is None

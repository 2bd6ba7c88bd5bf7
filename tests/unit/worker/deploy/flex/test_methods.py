"""The methods of an API are the same, whether a document or resources declare them."""

from __future__ import annotations

import pytest
from api_templates import document, guarded, http, resources, token, uri
from drafts import resource

from auto_lambda.model import Template
from worker.deploy.flex.methods import ApiAuthorizer, methods
from worker.deploy.gate.template import TemplateView


def test_a_document_names_verbs_and_authorizers() -> None:
    template = document(
        {"/x/{id}": {"get": guarded(), "parameters": []}}, {"check": token(identityValidationExpression="a+")}
    )
    (found,) = methods(TemplateView(template["Resources"]), "Rest")
    assert (found.path, found.verb, found.integration) == ("/x/{id}", "GET", "aws_proxy")
    check = ApiAuthorizer("check", "token", uri("CheckLive"), "method.request.header.Authorization", "a+", 30)
    assert found.authorizers == (check,)
    assert check.header == "Authorization"


def test_resources_have_the_paths_of_all_above_them() -> None:
    below = resource("ApiGateway::Resource", RestApiId={"Ref": "Rest"}, PathPart="below", ParentId={"Ref": "Above"})
    above = resource(
        "ApiGateway::Resource", RestApiId={"Ref": "Rest"}, PathPart="{above}",
        ParentId={"Fn::GetAtt": ["Rest", "RootResourceId"]},
    )  # fmt: skip
    method = resource(
        "ApiGateway::Method", RestApiId={"Ref": "Rest"}, ResourceId={"Ref": "Below"}, HttpMethod="get",
        AuthorizationType="AWS_IAM", ApiKeyRequired=True,
    )  # fmt: skip
    template = resources(Above=above, Below=below, Method=method)
    found = {one.path: one for one in methods(TemplateView(template["Resources"]), "Rest")}
    assert found.keys() == {"/", "/{proxy+}", "/{above}/below"}
    assert {one.kind for one in found["/{above}/below"].authorizers} == {"aws_iam", "api_key"}


def test_another_apis_methods_are_not_its_own() -> None:
    other = resource("ApiGateway::Method", RestApiId={"Ref": "Other"}, HttpMethod="GET")
    template = resources(Other=resource("ApiGateway::RestApi"), Method=other)
    assert {one.verb for one in methods(TemplateView(template["Resources"]), "Rest")} == {"ANY"}


def test_an_authorizer_takes_what_it_says_and_api_gateways_defaults() -> None:
    given = {"Type": "TOKEN", "AuthorizerUri": uri("ApiLive"), "IdentitySource": "method.request.header.X-Token"}
    one, _ = (one.authorizers for one in methods(TemplateView(resources(authorizer=given)["Resources"]), "Rest"))
    assert one == (ApiAuthorizer("Authorizer", "token", uri("ApiLive"), "method.request.header.X-Token", None, 300),)
    assert one[0].header == "X-Token"


@pytest.mark.parametrize("template", [http(), document({})])
def test_an_api_without_methods_has_none(template: Template) -> None:
    (api,) = {"Http", "Rest"} & template["Resources"].keys()
    assert list(methods(TemplateView(template["Resources"]), api)) == []

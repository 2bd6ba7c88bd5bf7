"""What an app's API does itself is told to its tasks; what they cannot do is a reason, never left out."""

from __future__ import annotations

from typing import Any

import pytest
from api_templates import ALLOWED, CHECK, PREFLIGHT, answered, called, document, guarded, http, resources, token, uri
from drafts import resource

from auto_lambda.model import Template
from entrypoint.bridge.front import read
from worker.deploy.flex.front import api_front


def described(template: Template) -> dict[str, Any]:
    found = api_front(template, "Api")
    assert found.reasons == []
    assert found.described is not None
    read(found.described)  # as a task does
    return found.described


def test_routes_authorizers_preflights_and_binary_types_are_told() -> None:
    paths = {
        "/": {"get": called()},
        "/x/{id}": {"get": guarded(), "options": answered()},
        "/y": {"options": answered()},
    }
    told = described(document(paths, {"check": token()}, BinaryMediaTypes=["image/png"]))
    assert told == {
        "stage": "api",
        "binary": ["image/png"],
        "routes": {
            "/": {"GET": {}},
            "/x/{id}": {"GET": {"authorizer": "check"}, "OPTIONS": {"fixed": 0}},
            "/y": {"OPTIONS": {"fixed": 0}},
        },
        "authorizers": {"check": CHECK},
        "fixed": [{"status": 200, "headers": ALLOWED}],
    }


def test_an_api_that_hands_everything_on_only_passes() -> None:
    assert api_front(resources(), "Api").only_passes
    assert api_front(http(), "Api").only_passes
    assert described(resources())["routes"] == {"/": {"ANY": {}}, "/{proxy+}": {"ANY": {}}}


@pytest.mark.parametrize(
    "template",
    [
        resources(cors=True),
        resources(authorizer={"Type": "TOKEN", "AuthorizerUri": uri("ApiLive")}),
        document({"/": {"get": called()}}),
        document({"/": {"x-amazon-apigateway-any-method": called()}}),
    ],
)
def test_an_api_that_does_anything_itself_does_not(template: Template) -> None:
    assert not api_front(template, "Api").only_passes
    described(template)


def test_zappas_authorizer_is_its_own_handler() -> None:
    given = {"Type": "TOKEN", "AuthorizerUri": uri("ApiLive"), "AuthorizerResultTtlInSeconds": 5}
    template = resources(authorizer=given)
    told = described(template)
    assert told["authorizers"]["Authorizer"] == {**CHECK, "handler": "app.app", "ttl": 5, "timeout": 3}
    assert told["routes"]["/{proxy+}"]["ANY"] == {"authorizer": "Authorizer"}


def with_definition(definition: Any) -> Template:
    return document({"/": {"get": guarded()}}, {"check": definition})


def signed() -> Template:
    return changed(resources(), "ANY1", AuthorizationType="AWS_IAM")


def changed(template: Template, name: str, **properties: Any) -> Template:
    template["Resources"][name]["Properties"].update(properties)
    return template


MAPPED = {**PREFLIGHT, "responses": {"default": {"statusCode": "200", "responseTemplates": {"text/plain": "hello"}}}}
REQUESTED = {"method.response.header.X": "method.request.header.Y"}
ECHOING = {**PREFLIGHT, "responses": {"default": {"statusCode": "200", "responseParameters": REQUESTED}}}
API_KEY = {"type": "apiKey", "name": "x-api-key", "in": "header"}
OF_ANOTHER = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:x:1:function:y/invocations"

UNLIKE: dict[str, tuple[Template, str]] = {
    "IAM": (with_definition({**API_KEY, "x-amazon-apigateway-authtype": "awsSigv4"}), "GET /: it asks for IAM's"),
    "IAM of zappa": (signed(), "IAM's"),
    "an API key": (with_definition(API_KEY), "GET /: it asks for API keys"),
    "an API key of zappa": (resources(method={"ApiKeyRequired": True}), "ANY /{proxy+}: it asks for API keys"),
    "Cognito": (with_definition(token(type="cognito_user_pools")), "GET /: it asks a user pool"),
    "a whole request": (with_definition(token(type="request")), "GET /: it has an authorizer of type REQUEST"),
    "another app's authorizer": (with_definition(token(authorizerUri=OF_ANOTHER)), "a function of another app"),
    "a token in the query": (
        with_definition(token(identitySource="method.request.querystring.t")), "takes no header, but method.request.q"),
    "a pattern of Java's": (
        with_definition(token(identityValidationExpression="[a-z&&[^b]")), "none that Python knows"),
    "other variables": (
        document({"/": {"get": guarded()}}, {"check": token()}, check={"Environment": {"Variables": {"A": "1"}}}),
        "check has another Environment than the function"),
    "another role": (
        document({"/": {"get": guarded()}}, {"check": token()}, check={"Layers": [{"Ref": "Own"}]}),
        "check has another Layers than the function"),
    "two authorizers": (
        document({"/": {"get": called(security=[{"check": [], "other": []}])}}, {"check": token(), "other": token()}),
        "GET /: it asks for two things at once"),
    "an answer by a mapping": (document({"/": {"get": answered(MAPPED)}}), "GET /: it answers by a mapping"),
    "an answer with what came": (document({"/": {"get": answered(ECHOING)}}), "GET /: it answers by a mapping"),
    "a request by a mapping": (
        document({"/": {"get": answered({"type": "aws", "uri": uri("ApiLive")})}}), "it changes requests by a mapping"),
    "validation": (
        document({"/": {"get": called(**{"x-amazon-apigateway-request-validator": "all"})}}), "it validates requests"),
    "validation of zappa's form": (resources(method={"RequestValidatorId": {"Ref": "V"}}), "it validates requests"),
    "a policy": (document({"/": {"get": called()}}, Policy={"Statement": []}), "its API: it has a resource policy"),
    "a policy in the document": (
        document({"/": {"get": called()}}, body={"x-amazon-apigateway-policy": {}}), "it has a resource policy"),
    "answers of its own": (
        resources(Own=resource("ApiGateway::GatewayResponse", RestApiId={"Ref": "Rest"})), "Own changes API Gateway's"),
    "variables of the stage": (
        changed(document({"/": {"get": called()}}), "Stage", Variables={"a": "b"}), "has variables"),
    "CORS of an HTTP API": (http(CorsConfiguration={"AllowOrigins": ["*"]}), "answers preflights itself"),
    "JWT": (http({"AuthorizationType": "JWT"}), "$default: it asks for authorization"),
    "routes of an HTTP API": (http({"RouteKey": "GET /x"}), "GET /x: its HTTP API has routes of its own"),
}  # fmt: skip


@pytest.mark.parametrize(("template", "said"), UNLIKE.values(), ids=UNLIKE)
def test_what_a_task_cannot_do_is_a_reason(template: Template, said: str) -> None:
    assert any(said in one for one in api_front(template, "Api").reasons), api_front(template, "Api").reasons


def test_another_apis_own_answers_do_not_matter() -> None:
    other = resource("ApiGateway::GatewayResponse", RestApiId={"Ref": "Other"})
    assert api_front(resources(Own=other), "Api").reasons == []


def test_equal_answers_are_told_once() -> None:
    paths = {f"/{number}": {"options": answered()} for number in range(200)}
    assert len(described(document(paths))["fixed"]) == 1


def test_an_api_of_more_routes_than_fit_is_refused() -> None:
    def told(number: int) -> list[str]:
        return api_front(document({f"/things-{one}/{{id}}": {"get": called()} for one in range(number)}), "Api").reasons

    assert told(300) == []
    assert told(1000) == ["its API has more routes than the description of a task has room for"]

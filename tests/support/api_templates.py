"""REST APIs in released templates, as chalice (a document) and zappa (resources) have them."""

from __future__ import annotations

from typing import Any

from drafts import function, resource

from auto_lambda.model import Template

Resources = dict[str, Any]
PREFLIGHT = {
    "type": "mock",
    "requestTemplates": {"application/json": '{"statusCode": 200}'},
    "responses": {
        "default": {
            "statusCode": "200",
            "responseParameters": {
                "method.response.header.Access-Control-Allow-Origin": "'*'",
                "method.response.header.Access-Control-Allow-Methods": "'GET,OPTIONS'",
            },
        }
    },
}
ALLOWED = {"Access-Control-Allow-Methods": "GET,OPTIONS", "Access-Control-Allow-Origin": "*"}
CHECK = {
    "handler": "app.check", "header": "Authorization", "pattern": None, "ttl": 30, "timeout": 10,
}  # fmt: skip


def uri(alias: str) -> dict[str, str]:
    arn = "arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${%s}/invocations"
    return {"Fn::Sub": arn % alias}


def called(alias: str = "ApiLive", **more: Any) -> dict[str, Any]:
    """An operation that calls a function."""
    proxy = {"type": "aws_proxy", "httpMethod": "POST", "uri": uri(alias)}
    return {"responses": {}, "x-amazon-apigateway-integration": proxy, **more}


def guarded(name: str = "check") -> dict[str, Any]:
    return called(security=[{name: []}])


def answered(integration: Any = PREFLIGHT) -> dict[str, Any]:
    return {"responses": {}, "x-amazon-apigateway-integration": integration}


def token(**more: Any) -> dict[str, Any]:
    """The definition of an authorizer, as chalice writes it."""
    authorizer = {"type": "token", "authorizerUri": uri("CheckLive"), "authorizerResultTtlInSeconds": 30, **more}
    return {
        "in": "header", "name": "Authorization", "type": "apiKey",
        "x-amazon-apigateway-authtype": "custom", "x-amazon-apigateway-authorizer": authorizer,
    }  # fmt: skip


def _functions(**of_check: Any) -> Resources:
    code = {"S3Bucket": "artifacts", "S3Key": f"bundles/{'a' * 64}.zip"}
    return {
        "Api": function("app.app", Code=code, Environment={"Variables": {"AUTO_LAMBDA_RELEASE": "a", "COLOUR": "red"}}),
        "ApiLive": resource("Lambda::Alias", Name="live", FunctionName={"Ref": "Api"}),
        "Check": function(
            "app.check",
            **{
                "Code": code,
                "Timeout": 10,
                "Environment": {"Variables": {"AUTO_LAMBDA_RELEASE": "b", "COLOUR": "red"}},
                **of_check,
            },
        ),
        "CheckLive": resource("Lambda::Alias", Name="live", FunctionName={"Ref": "Check"}),
    }


def _released(resources: Resources) -> Template:
    api = "Http" if "Http" in resources else "Rest"
    url = {"Fn::Sub": f"https://${{{api}}}.execute-api.${{AWS::Region}}.${{AWS::URLSuffix}}/api/"}
    return {"Resources": resources, "Outputs": {"AutoLambdaUrl": {"Value": url}}}


def document(paths: Any, definitions: Any = None, *, check: Any = None, body: Any = None, **api: Any) -> Template:
    """A REST API by a document; ``api`` are properties of the API, ``check`` of the authorizer's function."""
    written = {"swagger": "2.0", "paths": paths, "securityDefinitions": definitions or {}, **(body or {})}
    return _released({
        **_functions(**(check or {})),
        "Rest": resource("ApiGateway::RestApi", Body=written, **api),
        "Stage": resource("ApiGateway::Stage", RestApiId={"Ref": "Rest"}, StageName="api"),
    })  # fmt: skip


def resources(*, cors: bool = False, authorizer: Any = None, method: Any = None, **more: Any) -> Template:
    """A REST API by resources, as zappa's is: everything on ``/`` and ``/{proxy+}`` goes to one function."""
    asked = {"AuthorizationType": "NONE"}
    if authorizer:
        asked = {"AuthorizationType": "CUSTOM", "AuthorizerId": {"Ref": "Authorizer"}}  # type: ignore[dict-item]
        more["Authorizer"] = resource("ApiGateway::Authorizer", RestApiId={"Ref": "Rest"}, **authorizer)
    places = {"0": {"Fn::GetAtt": ["Rest", "RootResourceId"]}, "1": {"Ref": "Proxy"}}
    for number, place in places.items():
        common = {"RestApiId": {"Ref": "Rest"}, "ResourceId": place}
        proxy = {"Type": "AWS_PROXY", "Uri": uri("ApiLive"), "IntegrationResponses": []}
        more[f"ANY{number}"] = resource(
            "ApiGateway::Method", HttpMethod="ANY", Integration=proxy, **common, **asked, **(method or {})
        )
        if cors:
            headers = {"method.response.header.Access-Control-Allow-Origin": "'*'"}
            answer = {"StatusCode": "200", "ResponseParameters": headers, "ResponseTemplates": {"application/json": ""}}
            mock = {"Type": "MOCK", "IntegrationResponses": [answer]}
            more[f"OPTIONS{number}"] = resource(
                "ApiGateway::Method", HttpMethod="OPTIONS", AuthorizationType="NONE", Integration=mock, **common
            )
    return _released({
        **_functions(),
        "Rest": resource("ApiGateway::RestApi", Name="shop", BinaryMediaTypes=["*/*"]),
        "Proxy": resource(
            "ApiGateway::Resource", RestApiId={"Ref": "Rest"}, PathPart="{proxy+}",
            ParentId={"Fn::GetAtt": ["Rest", "RootResourceId"]},
        ),
        "Stage": resource("ApiGateway::Stage", RestApiId={"Ref": "Rest"}, StageName="dev"),
        **more,
    })  # fmt: skip


def http(route: Any = None, **api: Any) -> Template:
    """An HTTP API, as zappa's is with ``apigateway_version`` v2."""
    told = {"RouteKey": "$default", "ApiId": {"Ref": "Http"}, **(route or {})}
    return _released({
        **_functions(),
        "Http": resource("ApiGatewayV2::Api", Name="shop", ProtocolType="HTTP", **api),
        "Route": resource("ApiGatewayV2::Route", **told),
        "Stage": resource("ApiGatewayV2::Stage", ApiId={"Ref": "Http"}, StageName="dev"),
    })  # fmt: skip

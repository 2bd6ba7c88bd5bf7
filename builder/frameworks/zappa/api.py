"""HTTP triggers: zappa's own API template, adjusted, its stage and keys, and the function URL."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from typing import Any

from builder.frameworks.zappa.resources import (
    FUNCTION,
    INVOCATION_URI,
    Resource,
    TemplateParts,
    allow,
    invoke_permission,
    short_hash,
    sub,
    tag_list,
)
from builder.frameworks.zappa.settings import StageSettings, unsupported
from builder.source.problems import Problems

_AUTHORIZERS = {"": "TOKEN", "CUSTOM": "TOKEN", "TOKEN": "TOKEN", "REQUEST": "REQUEST",
                "COGNITO_USER_POOLS": "COGNITO_USER_POOLS"}  # fmt: skip
_FUNCTION_ARN = re.compile(r"arn:aws[a-z-]*:lambda:[a-z0-9-]+:\d{12}:function:[\w-]+(:[\w-]+)?")
_ALL_METHODS = {"ResourcePath": "/*", "HttpMethod": "*"}


def web_parts(settings: StageSettings, zappas: Mapping[str, Resource], stage: str) -> TemplateParts:
    """Return all that serves HTTP.

    Args:
        settings: of the stage, after callbacks.
        zappas: the resources of zappa's own API template; empty without an API.
        stage: the API stage's name.

    Raises:
        AppError: ``unsupported-setting``, ``bad-config``.
    """
    parts = TemplateParts()
    resources = copy.deepcopy(dict(zappas))
    if "Api" in resources:
        parts.add(_rest_api(settings, resources, stage))
    elif "ApiV2" in resources:
        parts.add(_http_api(settings, resources, stage))
    if "WsApi" in zappas:
        parts.add(_websocket(zappas))
    if settings.flag("function_url_enabled", default=False):
        parts.add(_function_url(settings.section("function_url_config")))
    return parts


def check(settings: StageSettings, problems: Problems, stage: str) -> dict[str, Resource]:
    """Note what is wrong with the settings of HTTP triggers; return the resources that they alone make."""
    attempt = problems.attempt
    parts = attempt(web_parts, settings, {}, stage)
    resources = dict(parts.resources) if parts else {}
    if not (settings.flag("use_apigateway", default=True) and settings.flag("apigateway_enabled", default=True)):
        return resources
    attempt(settings.text_mapping, "tags")
    if settings.text("apigateway_version", "v1") == "v1":
        properties: dict[str, Any] = {}
        attempt(_adjust_rest_api, settings, properties)
        resources["Api"] = {"Type": "AWS::ApiGateway::RestApi", "Properties": properties}
        if found := attempt(_rest_stage, settings, "", stage):
            resources["ApiStage"] = found
        if settings.values.get("authorizer") and not settings.flag("iam_authorization", default=False):
            attempt(_adjust_authorizer, settings.section("authorizer"), {})
    return resources


def _rest_api(settings: StageSettings, zappas: dict[str, Resource], stage: str) -> TemplateParts:
    resources = {name: one for name, one in zappas.items() if one["Type"].startswith("AWS::ApiGateway::")}
    _adjust_rest_api(settings, resources["Api"]["Properties"])
    for one in resources.values():
        if one["Type"] == "AWS::ApiGateway::Method":
            _adjust_method(settings, one["Properties"])
    parts = TemplateParts(resources)
    if "Authorizer" in resources:
        parts.warnings += _adjust_authorizer(settings.section("authorizer"), resources["Authorizer"]["Properties"])
    elif settings.values.get("authorizer"):
        parts.warnings.append("the zappa setting 'authorizer' is ignored: 'iam_authorization' wins")
    deployment = f"ApiDeployment{short_hash(resources)}"
    routes = sorted(name for name, one in resources.items() if one["Type"] == "AWS::ApiGateway::Method")
    parts.resources |= {
        deployment: {
            "Type": "AWS::ApiGateway::Deployment",
            "DependsOn": routes,
            "Properties": {"RestApiId": {"Ref": "Api"}},
        },
        "ApiStage": _rest_stage(settings, deployment, stage),
        "ApiPermission": _api_permission("Api"),
    }
    if settings.flag("api_key_required", default=False):
        parts.resources |= _api_key(settings.text("api_key"))
    parts.url = _url("Api", stage)
    return parts


def _adjust_rest_api(settings: StageSettings, api: dict[str, Any]) -> None:
    if settings.flag("binary_support", default=True):
        api["BinaryMediaTypes"] = ["*/*"]
    if settings.flag("payload_compression", default=True):
        api["MinimumCompressionSize"] = settings.number("payload_minimum_compression_size", 0)
    if "EndpointConfiguration" in api:
        api["EndpointConfiguration"]["Types"].sort()  # it went through a set
    else:
        api["EndpointConfiguration"] = {"Types": ["REGIONAL"]}  # an account may make an edge-optimized one every 30 s
    if tags := settings.text_mapping("tags"):
        api["Tags"] = tag_list(tags)


def _adjust_method(settings: StageSettings, method: dict[str, Any]) -> None:
    integration = method["Integration"]
    if integration["Type"] == "AWS_PROXY":
        integration.pop("Credentials", None)  # the permission is the function's, not a role's
        integration["Uri"] = INVOCATION_URI
    else:
        integration.pop("Uri", None)
        if settings.flag("binary_support", default=True):
            integration["ContentHandling"] = "CONVERT_TO_TEXT"  # or the answer to a preflight is garbage
    if "AuthorizerId" in method:
        method["AuthorizationType"] = (
            "COGNITO_USER_POOLS"
            if _authorizer_type(settings.section("authorizer")) == "COGNITO_USER_POOLS"
            else "CUSTOM"
        )


def _authorizer_type(authorizer: StageSettings) -> str:
    given = authorizer.text("type").upper()
    if given not in _AUTHORIZERS:
        raise unsupported(
            "authorizer.type", f"{given!r} is none that API Gateway has",
            hint="Use TOKEN, REQUEST or COGNITO_USER_POOLS.",
        )  # fmt: skip
    return _AUTHORIZERS[given]


def _adjust_authorizer(settings: StageSettings, authorizer: dict[str, Any]) -> list[str]:
    authorizer["Type"] = kind = _authorizer_type(settings)
    authorizer.pop("AuthorizerCredentials", None)
    if kind == "COGNITO_USER_POOLS":
        authorizer.pop("AuthorizerUri", None)
        if not settings.texts("provider_arns"):
            raise settings.invalid("provider_arns", "a list of user pool ARNs")
        return []
    if arn := settings.text("arn"):
        if not _FUNCTION_ARN.fullmatch(arn):
            raise settings.invalid("arn", "the ARN of a Lambda function, or of an alias or version of one")
        uri = f"arn:${{AWS::Partition}}:apigateway:${{AWS::Region}}:lambda:path/2015-03-31/functions/{arn}/invocations"
        authorizer["AuthorizerUri"] = sub(uri)
        return [f"the authorizer {arn} is not part of the app: let API Gateway invoke it yourself"]
    if kind == "REQUEST":
        raise unsupported("authorizer.type", "zappa's handler answers authorizers of type TOKEN only",
                          hint="Use TOKEN, or name another function by authorizer.arn.")  # fmt: skip
    if not settings.text("function"):
        raise settings.invalid("function", "the dotted path of the function that decides")
    authorizer["AuthorizerUri"] = INVOCATION_URI
    return []


def _rest_stage(settings: StageSettings, deployment: str, stage: str) -> Resource:
    properties: dict[str, Any] = {
        "RestApiId": {"Ref": "Api"},
        "DeploymentId": {"Ref": deployment},
        "StageName": stage,
    }
    if settings.flag("xray_tracing", default=False):
        properties["TracingEnabled"] = True
    if tags := settings.text_mapping("tags"):
        properties["Tags"] = tag_list(tags)
    methods: dict[str, Any] = {}
    if settings.flag("cache_cluster_enabled", default=False):
        properties |= {
            "CacheClusterEnabled": True,
            "CacheClusterSize": str(settings.values.get("cache_cluster_size", 0.5)),
        }
        methods |= {
            "CachingEnabled": True,
            "CacheTtlInSeconds": settings.number("cache_cluster_ttl", 300),
            "CacheDataEncrypted": settings.flag("cache_cluster_encrypted", default=False),
        }
    if (level := settings.text("cloudwatch_log_level", "OFF")) in ("ERROR", "INFO"):
        methods["LoggingLevel"] = level
        methods["DataTraceEnabled"] = settings.flag("cloudwatch_data_trace", default=False)
    if settings.flag("cloudwatch_metrics_enabled", default=False):
        methods["MetricsEnabled"] = True
    if methods:
        properties["MethodSettings"] = [_ALL_METHODS | methods]
    return {"Type": "AWS::ApiGateway::Stage", "Properties": properties}


def _api_key(existing: str) -> dict[str, Resource]:
    stage = {"ApiId": {"Ref": "Api"}, "Stage": {"Ref": "ApiStage"}}
    plan = {"Type": "AWS::ApiGateway::UsagePlan", "Properties": {"ApiStages": [stage]}}
    link = {"KeyId": existing or {"Ref": "ApiKey"}, "KeyType": "API_KEY", "UsagePlanId": {"Ref": "ApiUsagePlan"}}
    made = {"ApiUsagePlan": plan, "ApiUsagePlanKey": {"Type": "AWS::ApiGateway::UsagePlanKey", "Properties": link}}
    return (
        made if existing else {"ApiKey": {"Type": "AWS::ApiGateway::ApiKey", "Properties": {"Enabled": True}}, **made}
    )


def _http_api(settings: StageSettings, resources: dict[str, Resource], stage: str) -> TemplateParts:
    kept = {name: resources[name] for name in ("ApiV2", "IntegrationV2", "RouteV2", "StageV2")}
    kept["IntegrationV2"]["Properties"]["IntegrationUri"] = INVOCATION_URI
    tags = settings.text_mapping("tags")
    for name in ("ApiV2", "StageV2"):
        if tags:
            kept[name]["Properties"]["Tags"] = tags
    if settings.flag("cloudwatch_metrics_enabled", default=False):
        kept["StageV2"]["Properties"]["DefaultRouteSettings"] = {"DetailedMetricsEnabled": True}
    rest_only = ("cache_cluster_enabled", "cloudwatch_data_trace", "endpoint_configuration")
    ignored = [name for name in rest_only if settings.values.get(name)]
    if settings.text("cloudwatch_log_level", "OFF") != "OFF":
        ignored.append("cloudwatch_log_level")
    warnings = [f"an HTTP API (apigateway_version 'v2') has no {name}: ignored" for name in ignored]
    return TemplateParts(
        kept | {"ApiPermission": _api_permission("ApiV2")}, warnings=warnings, url=_url("ApiV2", stage)
    )


def _websocket(zappas: Mapping[str, Resource]) -> TemplateParts:
    resources = {name: copy.deepcopy(one) for name, one in zappas.items() if name.startswith("Ws")}
    resources["WsIntegration"]["Properties"]["IntegrationUri"] = INVOCATION_URI
    resources["WsInvokePermission"] = _api_permission("WsApi")
    routes = sorted(name for name, one in resources.items() if one["Type"] == "AWS::ApiGatewayV2::Route")
    resources["WsStage"]["DependsOn"] = routes
    answer = sub("arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${WsApi}/*/POST/@connections/*")
    return TemplateParts(resources, [allow(["execute-api:ManageConnections"], answer)])


def _function_url(config: StageSettings) -> TemplateParts:
    auth = config.text("authorizer", "NONE")
    if auth not in ("NONE", "AWS_IAM"):
        raise config.invalid("authorizer", "'NONE' or 'AWS_IAM'")
    properties: dict[str, Any] = {"AuthType": auth, "TargetFunctionArn": {"Ref": FUNCTION}}
    if (cors := config.values.get("cors", True)) is not False:
        properties["Cors"] = _url_cors(StageSettings({}) if cors is True else config.section("cors"))
    resources = {"FunctionUrl": {"Type": "AWS::Lambda::Url", "Properties": properties}}
    if auth == "NONE":
        resources["FunctionUrlPermission"] = _public_permission("lambda:InvokeFunctionUrl", FunctionUrlAuthType="NONE")
        # zappa lets the whole world invoke the function by this; only calls through the URL need it.
        resources["FunctionUrlInvokePermission"] = _public_permission(
            "lambda:InvokeFunction", InvokedViaFunctionUrl=True
        )
    return TemplateParts(resources, url={"Fn::GetAtt": ["FunctionUrl", "FunctionUrl"]})


def _url_cors(cors: StageSettings) -> dict[str, Any]:
    """Apply zappa's defaults, which allow everyone everything."""
    return {
        "AllowCredentials": cors.flag("allowCredentials", default=False),
        "AllowHeaders": cors.texts("allowedHeaders", ("*",)),
        "AllowMethods": cors.texts("allowedMethods", ("*",)),
        "AllowOrigins": cors.texts("allowedOrigins", ("*",)),
        "ExposeHeaders": cors.texts("exposedResponseHeaders", ("*",)),
        "MaxAge": cors.number("maxAge", 0),
    }


def _public_permission(action: str, **condition: Any) -> Resource:
    properties = {"Action": action, "FunctionName": {"Ref": FUNCTION}, "Principal": "*", **condition}
    return {"Type": "AWS::Lambda::Permission", "Properties": properties}


def _api_permission(api: str) -> Resource:
    arn = f"arn:${{AWS::Partition}}:execute-api:${{AWS::Region}}:${{AWS::AccountId}}:${{{api}}}/*"
    return invoke_permission("apigateway.amazonaws.com", sub(arn))


def _url(api: str, stage: str) -> dict[str, str]:
    return sub(f"https://${{{api}}}.execute-api.${{AWS::Region}}.${{AWS::URLSuffix}}/{stage}/")

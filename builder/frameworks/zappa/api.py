"""The ways in from the web: zappa's own API template put right, its stage and keys, and the function URL."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from typing import Any

from builder.frameworks.zappa.resources import (
    FUNCTION,
    INVOCATIONS,
    Parts,
    Resource,
    allow,
    digest,
    invoke_permission,
    listed_tags,
    sub,
)
from builder.frameworks.zappa.settings import Settings, unsupported

_AUTHORIZERS = {"": "TOKEN", "CUSTOM": "TOKEN", "TOKEN": "TOKEN", "REQUEST": "REQUEST",
                "COGNITO_USER_POOLS": "COGNITO_USER_POOLS"}  # fmt: skip
_FUNCTION_ARN = re.compile(r"arn:aws[a-z-]*:lambda:[a-z0-9-]+:\d{12}:function:[\w-]+(:[\w-]+)?")
_METHODS_ON = {"ResourcePath": "/*", "HttpMethod": "*"}


def web(settings: Settings, zappas: Mapping[str, Resource], stage: str) -> Parts:
    """Everything that answers HTTP.

    Args:
        settings: of the stage, after callbacks.
        zappas: the resources of zappa's own API template; empty without an API.
        stage: the API stage's name.

    Raises:
        AppError: ``unsupported-setting``, ``bad-config``.
    """
    parts = Parts()
    resources = copy.deepcopy(dict(zappas))
    if "Api" in resources:
        parts.add(_rest(settings, resources, stage))
    elif "ApiV2" in resources:
        parts.add(_http(settings, resources, stage))
    if "WsApi" in zappas:
        parts.add(_websocket(zappas))
    if settings.flag("function_url_enabled", default=False):
        parts.add(_function_url(settings.part("function_url_config")))
    return parts


def _rest(settings: Settings, zappas: dict[str, Resource], stage: str) -> Parts:
    resources = {name: one for name, one in zappas.items() if one["Type"].startswith("AWS::ApiGateway::")}
    _mend_rest_api(settings, resources["Api"]["Properties"])
    for one in resources.values():
        if one["Type"] == "AWS::ApiGateway::Method":
            _mend_method(settings, one["Properties"])
    parts = Parts(resources)
    if "Authorizer" in resources:
        parts.warnings += _mend_authorizer(settings.part("authorizer"), resources["Authorizer"]["Properties"])
    elif settings.values.get("authorizer"):
        parts.warnings.append("the zappa setting 'authorizer' is ignored: 'iam_authorization' wins")
    deployment = f"ApiDeployment{digest(resources)}"
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


def _mend_rest_api(settings: Settings, api: dict[str, Any]) -> None:
    if settings.flag("binary_support", default=True):
        api["BinaryMediaTypes"] = ["*/*"]
    if settings.flag("payload_compression", default=True):
        api["MinimumCompressionSize"] = settings.number("payload_minimum_compression_size", 0)
    if "EndpointConfiguration" in api:
        api["EndpointConfiguration"]["Types"].sort()  # it went through a set
    if tags := settings.words("tags"):
        api["Tags"] = listed_tags(tags)


def _mend_method(settings: Settings, method: dict[str, Any]) -> None:
    integration = method["Integration"]
    if integration["Type"] == "AWS_PROXY":
        integration.pop("Credentials", None)  # the permission is the function's, not a role's
        integration["Uri"] = INVOCATIONS
    else:
        integration.pop("Uri", None)
        if settings.flag("binary_support", default=True):
            integration["ContentHandling"] = "CONVERT_TO_TEXT"  # or the answer to a preflight is garbage
    if "AuthorizerId" in method:
        method["AuthorizationType"] = (
            "COGNITO_USER_POOLS" if _authorizer(settings.part("authorizer")) == "COGNITO_USER_POOLS" else "CUSTOM"
        )


def _authorizer(authorizer: Settings) -> str:
    given = authorizer.text("type").upper()
    if given not in _AUTHORIZERS:
        raise unsupported(
            "authorizer.type", f"{given!r} is none that API Gateway has",
            hint="Use TOKEN, REQUEST or COGNITO_USER_POOLS.",
        )  # fmt: skip
    return _AUTHORIZERS[given]


def _mend_authorizer(settings: Settings, authorizer: dict[str, Any]) -> list[str]:
    authorizer["Type"] = kind = _authorizer(settings)
    authorizer.pop("AuthorizerCredentials", None)
    if kind == "COGNITO_USER_POOLS":
        authorizer.pop("AuthorizerUri", None)
        if not settings.texts("provider_arns"):
            raise settings.wrong("provider_arns", "a list of user pool ARNs")
        return []
    if arn := settings.text("arn"):
        if not _FUNCTION_ARN.fullmatch(arn):
            raise settings.wrong("arn", "the ARN of a Lambda function, or of an alias or version of one")
        uri = f"arn:${{AWS::Partition}}:apigateway:${{AWS::Region}}:lambda:path/2015-03-31/functions/{arn}/invocations"
        authorizer["AuthorizerUri"] = sub(uri)
        return [f"the authorizer {arn} is not part of the app: let API Gateway invoke it yourself"]
    if kind == "REQUEST":
        raise unsupported("authorizer.type", "zappa's handler answers authorizers of type TOKEN only",
                          hint="Use TOKEN, or name another function by authorizer.arn.")  # fmt: skip
    if not settings.text("function"):
        raise settings.wrong("function", "the dotted path of the function that decides")
    authorizer["AuthorizerUri"] = INVOCATIONS
    return []


def _rest_stage(settings: Settings, deployment: str, stage: str) -> Resource:
    properties: dict[str, Any] = {
        "RestApiId": {"Ref": "Api"},
        "DeploymentId": {"Ref": deployment},
        "StageName": stage,
    }
    if settings.flag("xray_tracing", default=False):
        properties["TracingEnabled"] = True
    if tags := settings.words("tags"):
        properties["Tags"] = listed_tags(tags)
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
        properties["MethodSettings"] = [_METHODS_ON | methods]
    return {"Type": "AWS::ApiGateway::Stage", "Properties": properties}


def _api_key(existing: str) -> dict[str, Resource]:
    stage = {"ApiId": {"Ref": "Api"}, "Stage": {"Ref": "ApiStage"}}
    plan = {"Type": "AWS::ApiGateway::UsagePlan", "Properties": {"ApiStages": [stage]}}
    link = {"KeyId": existing or {"Ref": "ApiKey"}, "KeyType": "API_KEY", "UsagePlanId": {"Ref": "ApiUsagePlan"}}
    made = {"ApiUsagePlan": plan, "ApiUsagePlanKey": {"Type": "AWS::ApiGateway::UsagePlanKey", "Properties": link}}
    return (
        made if existing else {"ApiKey": {"Type": "AWS::ApiGateway::ApiKey", "Properties": {"Enabled": True}}, **made}
    )


def _http(settings: Settings, resources: dict[str, Resource], stage: str) -> Parts:
    kept = {name: resources[name] for name in ("ApiV2", "IntegrationV2", "RouteV2", "StageV2")}
    kept["IntegrationV2"]["Properties"]["IntegrationUri"] = INVOCATIONS
    tags = settings.words("tags")
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
    return Parts(kept | {"ApiPermission": _api_permission("ApiV2")}, warnings=warnings, url=_url("ApiV2", stage))


def _websocket(zappas: Mapping[str, Resource]) -> Parts:
    resources = {name: copy.deepcopy(one) for name, one in zappas.items() if name.startswith("Ws")}
    resources["WsIntegration"]["Properties"]["IntegrationUri"] = INVOCATIONS
    resources["WsInvokePermission"] = _api_permission("WsApi")
    routes = sorted(name for name, one in resources.items() if one["Type"] == "AWS::ApiGatewayV2::Route")
    resources["WsStage"]["DependsOn"] = routes
    answer = sub("arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${WsApi}/*/POST/@connections/*")
    return Parts(resources, [allow(["execute-api:ManageConnections"], answer)])


def _function_url(config: Settings) -> Parts:
    auth = config.text("authorizer", "NONE")
    if auth not in ("NONE", "AWS_IAM"):
        raise config.wrong("authorizer", "'NONE' or 'AWS_IAM'")
    properties: dict[str, Any] = {"AuthType": auth, "TargetFunctionArn": {"Ref": FUNCTION}}
    if (cors := config.values.get("cors", True)) is not False:
        properties["Cors"] = _url_cors(Settings({}) if cors is True else config.part("cors"))
    resources = {"FunctionUrl": {"Type": "AWS::Lambda::Url", "Properties": properties}}
    if auth == "NONE":
        resources["FunctionUrlPermission"] = _public("lambda:InvokeFunctionUrl", FunctionUrlAuthType="NONE")
        # zappa lets the whole world invoke the function by this; only calls through the URL need it.
        resources["FunctionUrlInvokePermission"] = _public("lambda:InvokeFunction", InvokedViaFunctionUrl=True)
    return Parts(resources, url={"Fn::GetAtt": ["FunctionUrl", "FunctionUrl"]})


def _url_cors(cors: Settings) -> dict[str, Any]:
    """zappa's defaults: everyone, everything."""  # noqa: D403
    return {
        "AllowCredentials": cors.flag("allowCredentials", default=False),
        "AllowHeaders": cors.texts("allowedHeaders", ("*",)),
        "AllowMethods": cors.texts("allowedMethods", ("*",)),
        "AllowOrigins": cors.texts("allowedOrigins", ("*",)),
        "ExposeHeaders": cors.texts("exposedResponseHeaders", ("*",)),
        "MaxAge": cors.number("maxAge", 0),
    }


def _public(action: str, **condition: Any) -> Resource:
    properties = {"Action": action, "FunctionName": {"Ref": FUNCTION}, "Principal": "*", **condition}
    return {"Type": "AWS::Lambda::Permission", "Properties": properties}


def _api_permission(api: str) -> Resource:
    arn = f"arn:${{AWS::Partition}}:execute-api:${{AWS::Region}}:${{AWS::AccountId}}:${{{api}}}/*"
    return invoke_permission("apigateway.amazonaws.com", sub(arn))


def _url(api: str, stage: str) -> dict[str, str]:
    return sub(f"https://${{{api}}}.execute-api.${{AWS::Region}}.${{AWS::URLSuffix}}/{stage}/")

"""Make a draft publishable: code, layer, a stamp named after the content, alias ``live``, and every trigger on it.

Pure functions from template to template; the reasons stand in docs/explanation/one-template.md.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from auto_lambda.errors import AppError, Code
from auto_lambda.keys import App
from auto_lambda.model import Template
from builder.protocol.messages import AppBuilt, NotificationMessage
from worker.bundle.expand import UNPUBLISHED
from worker.bundle.log_groups import with_log_groups
from worker.bundle.pointers import ALIAS, RELEASE_VARIABLE, declared, pointer
from worker.bundle.references import referenced, to_alias

ROLE_PATH = "/auto-lambda/"
Resource = dict[str, Any]

_KEPT = {"DeletionPolicy": "RetainExceptOnCreate", "UpdateReplacePolicy": "Retain"}
# Where a template names what to invoke; everything below these properties is rewritten.
_TRIGGERS: Mapping[str, tuple[str, ...]] = {
    "AWS::ApiGateway::Authorizer": ("AuthorizerUri",),
    "AWS::ApiGateway::Method": ("Integration",),
    "AWS::ApiGateway::RestApi": ("Body",),
    "AWS::ApiGatewayV2::Api": ("Body",),
    "AWS::ApiGatewayV2::Authorizer": ("AuthorizerUri",),
    "AWS::ApiGatewayV2::Integration": ("IntegrationUri",),
    "AWS::Events::Rule": ("Targets",),
    "AWS::Lambda::EventSourceMapping": ("FunctionName",),
    "AWS::Lambda::Permission": ("FunctionName",),
    "AWS::SNS::Subscription": ("Endpoint",),
    "AWS::Scheduler::Schedule": ("Target",),
}
# These want the function's name and the alias beside it.
_QUALIFIED = frozenset({"AWS::Lambda::EventInvokeConfig", "AWS::Lambda::Url"})


@dataclass(frozen=True, slots=True)
class Publication:
    """What a draft needs to become a release. Keys are in ``bucket``; ``layer_key`` is None without dependencies.

    ``log_days``: how long log groups keep events, 0 for ever.
    """

    app: App
    bucket: str
    code_key: str
    layer_key: str | None
    python: str
    architecture: str
    boundary_arn: str
    environment: Mapping[str, str]
    metadata: Mapping[str, Any]
    log_days: int = 30


def publish(draft: AppBuilt, publication: Publication) -> Template:
    """Return the final template; the same input gives an equal template, and is not changed.

    Raises:
        AppError: a resource of the draft has a logical id that is needed here.
    """
    template = copy.deepcopy(draft.template)
    resources: dict[str, Resource] = template["Resources"]
    functions = sorted(_of_type(resources, "AWS::Lambda::Function"))
    layer = _layer(publication)
    for name in functions:
        _complete(resources[name]["Properties"], publication, next(iter(layer), None))
        _name_log_group(name, resources, publication.app)
    stamps = {name: _stamp_of(name, resources) for name in functions}
    for name in functions:
        resources[name]["Properties"]["Environment"]["Variables"][RELEASE_VARIABLE] = stamps[name]
    aliases = {name: alias_id(name) for name in functions}
    added = layer | _aliases(aliases, resources) | _bucket_permissions(draft.notifications)
    if taken := sorted(added.keys() & resources.keys()):
        raise AppError(
            Code.COMPILE_FAILED,
            f"{', '.join(taken)}: a resource of the app has the logical id of something that every deployment adds.",
            hint="Rename the function that this name comes from.",
        )
    resources.update(added)
    for resource in resources.values():
        _retarget(resource, aliases)
    _bound(resources, publication.boundary_arn)
    template["Outputs"] = _foreign_outputs(template) | _outputs(draft, functions)
    template["Parameters"] = declared(template)
    template["Metadata"] = dict(publication.metadata)
    return with_log_groups(template, publication.app, publication.log_days)


def bounded(template: Template, boundary_arn: str) -> Template:
    """Return a published template with another permissions boundary; the input is not changed."""
    made = copy.deepcopy(template)
    _bound(made["Resources"], boundary_arn)
    return made


def _bound(resources: dict[str, Resource], boundary_arn: str) -> None:
    for name in _of_type(resources, "AWS::IAM::Role"):
        resources[name].setdefault("Properties", {}).update({"Path": ROLE_PATH, "PermissionsBoundary": boundary_arn})


def serialize(template: Template) -> bytes:
    """Return the bytes of a template, sorted, so that equal templates have equal keys in the artifacts bucket."""
    return json.dumps(template, sort_keys=True, separators=(",", ":")).encode()


def template_key(data: bytes) -> str:
    """Return where the bytes of a template are stored."""
    return f"bundles/{hashlib.sha256(data).hexdigest()}.template.json"


def alias_id(function: str) -> str:
    """Logical id of the alias ``live`` of a function."""
    return f"{function}Live"


def alias_output(function: str) -> str:
    """Name of the output that holds the ARN of a function's alias."""
    return f"AutoLambdaAlias{function}"


def _of_type(resources: Mapping[str, Resource], kind: str) -> Iterable[str]:
    return (name for name, resource in resources.items() if resource["Type"] == kind)


def _layer(publication: Publication) -> dict[str, Resource]:
    if publication.layer_key is None:
        return {}
    properties = {
        "LayerName": publication.app.stack,
        "Content": {"S3Bucket": publication.bucket, "S3Key": publication.layer_key},
        "CompatibleRuntimes": [f"python{publication.python}"],
        "CompatibleArchitectures": [publication.architecture],
    }
    return {
        f"Dependencies{_digest(properties)}": {"Type": "AWS::Lambda::LayerVersion", "Properties": properties, **_KEPT}
    }


def _complete(properties: Resource, publication: Publication, layer: str | None) -> None:
    properties["Code"] = {"S3Bucket": publication.bucket, "S3Key": publication.code_key}
    properties["Runtime"] = f"python{publication.python}"
    properties["Architectures"] = [publication.architecture]
    if layer:
        properties["Layers"] = [{"Ref": layer}, *properties.get("Layers", [])]
    environment = properties.setdefault("Environment", {})
    environment["Variables"] = environment.get("Variables", {}) | dict(publication.environment)


def _name_log_group(function: str, resources: Mapping[str, Resource], app: App) -> None:
    """Give a function that CloudFormation names a log group in the app's namespace.

    Such a name is the stack's, cut off where it is too long, so no policy can tell whose it is.
    """
    properties = resources[function]["Properties"]
    if "FunctionName" in properties:
        return
    group = f"/aws/lambda/{app.function}/{function}"
    properties["LoggingConfig"] = {**properties.get("LoggingConfig", {}), "LogGroup": group}
    for name in _of_type(resources, "AWS::Logs::LogGroup"):
        described = resources[name].get("Properties", {})
        if described.get("LogGroupName") == {"Fn::Sub": f"/aws/lambda/${{{function}}}"}:
            described["LogGroupName"] = group


def _stamp_of(function: str, resources: Mapping[str, Resource]) -> str:
    """Hash all that the function is but for its code, and all that it refers to.

    What it refers to counts because CloudFormation may replace it: ``live`` would go on with the old role, say. Code
    has a hash of its own: a stamp that changed with it would take another call to set.
    """
    properties = resources[function]["Properties"]
    published = {name: value for name, value in properties.items() if name not in UNPUBLISHED | {"Code"}}
    return _digest([published, _closure(published, resources)])


def _closure(value: Any, resources: Mapping[str, Resource]) -> dict[str, Resource]:
    found: dict[str, Resource] = {}
    waiting = list(referenced(value))
    while waiting:
        name = waiting.pop()
        if name in resources and name not in found:
            found[name] = resources[name]
            waiting += referenced(resources[name])
    return found


def _aliases(aliases: Mapping[str, str], resources: Mapping[str, Resource]) -> dict[str, Resource]:
    return {
        alias: {
            "Type": "AWS::Lambda::Alias",
            "Properties": {
                "Name": ALIAS,
                "FunctionName": {"Ref": function},
                "FunctionVersion": pointer(function),
                **_provisioned(resources[function]),
            },
        }
        for function, alias in aliases.items()
    }


def _provisioned(function: Resource) -> Resource:
    """Return the alias's settings, which a framework puts into the function's metadata."""
    count = function.get("Metadata", {}).get("AutoLambda", {}).get("ProvisionedConcurrency")
    return {"ProvisionedConcurrencyConfig": {"ProvisionedConcurrentExecutions": count}} if count else {}


def _bucket_permissions(notifications: Iterable[NotificationMessage]) -> dict[str, Resource]:
    """Existing buckets call only what allows them to; the events themselves are hung on the bucket after the stack."""
    return {
        f"{function}Bucket{_digest(bucket)}": {
            "Type": "AWS::Lambda::Permission",
            "Properties": {
                "Action": "lambda:InvokeFunction",
                "FunctionName": {"Ref": function},
                "Principal": "s3.amazonaws.com",
                "SourceAccount": {"Ref": "AWS::AccountId"},
                "SourceArn": {"Fn::Sub": f"arn:${{AWS::Partition}}:s3:::{bucket}"},
            },
        }
        for function, bucket in sorted({(item.function, item.bucket) for item in notifications})
    }


def _retarget(resource: Resource, aliases: Mapping[str, str]) -> None:
    properties = resource.get("Properties", {})
    for name in _TRIGGERS.get(resource["Type"], ()):
        if name in properties:
            properties[name] = to_alias(properties[name], aliases)
    if resource["Type"] in _QUALIFIED:
        needed = sorted({aliases[name] for name in referenced(properties) if name in aliases})
        properties["Qualifier"] = ALIAS
        resource["DependsOn"] = [*_listed(resource.get("DependsOn", [])), *needed]


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def _foreign_outputs(template: Template) -> dict[str, Any]:
    """Return a draft's outputs without those named like ours: they would be read as ours where we have none."""
    outputs: Mapping[str, Any] = template.get("Outputs", {})
    return {name: value for name, value in outputs.items() if not name.lower().startswith("autolambda")}


def _outputs(draft: AppBuilt, functions: Iterable[str]) -> dict[str, Any]:
    outputs = {
        "AutoLambdaFunction": {"Value": {"Ref": draft.main}},
        "AutoLambdaVersion": {"Value": pointer(draft.main)},
        **{alias_output(function): {"Value": {"Ref": alias_id(function)}} for function in functions},
    }
    if draft.url is not None:
        outputs["AutoLambdaUrl"] = {"Value": draft.url}
    return outputs


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]

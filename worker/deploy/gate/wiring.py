"""The wiring check: does every part of the template work together as it should?

AWS and its emulators accept a permission that is missing or on the wrong target, a role without a boundary, and an
authorizer that guards nothing. So every template is checked before it is deployed. The check is written from what
CloudFormation does with a template, and shares no code with what writes templates.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from auto_lambda.model import BucketNotification, Template
from worker.deploy.gate import apis
from worker.deploy.gate.symbols import ACCOUNT, PARTITION, REGION, lone_symbol, readable, symbol
from worker.deploy.gate.template import Call, Properties, TemplateView, Violation, allows, text
from worker.model import DeployTarget

ROLE_PATH = "/auto-lambda/"
_DIGEST = "[0-9a-f]{64}"


def problems(
    template: Template, target: DeployTarget, notifications: Iterable[BucketNotification] = ()
) -> Iterator[Violation]:
    """Yield everything in the template that is wired wrongly.

    Args:
        template: a final template, which holds only what the allow-list allows.
        target: the bucket and the boundary that it must name.
        notifications: the bucket notifications that will be added after the stack.
    """
    view = TemplateView(template["Resources"])
    yield from _functions(view, target.artifacts_bucket)
    yield from _layers(view, target.artifacts_bucket)
    yield from _aliases(view)
    yield from _roles(view, target.boundary_arn)
    yield from _permissions(view)
    yield from _qualified(view)
    yield from apis.problems(view)
    for call in (*apis.calls(view), *_calls(view), *_bucket_calls(view, notifications)):
        yield from _call(view, call)


def _functions(view: TemplateView, bucket: str) -> Iterator[Violation]:
    for name, properties in view.of("Lambda::Function"):
        if not _stored(properties.get("Code"), bucket, f"bundles/{_DIGEST}\\.zip"):
            yield Violation(name, "its code is not a bundle in the artifacts bucket")
        if list(view.live.values()).count(name) != 1:
            yield Violation(name, "it needs one alias called live")


def _layers(view: TemplateView, bucket: str) -> Iterator[Violation]:
    for name, properties in view.of("Lambda::LayerVersion"):
        if not _stored(properties.get("Content"), bucket, f"layers/{_DIGEST}\\.zip"):
            yield Violation(name, "its content is not a layer in the artifacts bucket")


def _stored(place: Any, bucket: str, key: str) -> bool:
    """Tell whether code or content is a file of that bucket with a key of that form, and nothing else."""
    if not isinstance(place, dict) or place.keys() != {"S3Bucket", "S3Key"} or place["S3Bucket"] != bucket:
        return False
    return isinstance(place["S3Key"], str) and re.fullmatch(key, place["S3Key"]) is not None


def _aliases(view: TemplateView) -> Iterator[Violation]:
    for name, properties in view.of("Lambda::Alias"):
        function = view.live.get(name)
        if function is None:
            yield Violation(name, "an alias is called live and names a function of this template")
        elif properties.get("FunctionVersion") != {"Ref": f"AutoLambdaVersion{function}"}:
            yield Violation(name, f"its version must be the parameter AutoLambdaVersion{function}")


def _roles(view: TemplateView, boundary: str) -> Iterator[Violation]:
    for name, properties in view.of("IAM::Role"):
        if properties.get("PermissionsBoundary") != boundary:
            yield Violation(name, "the role lacks the pipeline's permissions boundary")
        if properties.get("Path") != ROLE_PATH:
            yield Violation(name, f"the role's path is not {ROLE_PATH}")


def _permissions(view: TemplateView) -> Iterator[Violation]:
    for name, properties in view.of("Lambda::Permission"):
        if lone_symbol(text(properties.get("FunctionName"))) not in view.live:
            yield Violation(name, f"it permits calls of {_named(properties.get('FunctionName'))}, not of an alias live")


def _qualified(view: TemplateView) -> Iterator[Violation]:
    """Check what names function and alias separately: function URLs and settings of asynchronous calls."""
    for kind, key in (("Lambda::Url", "TargetFunctionArn"), ("Lambda::EventInvokeConfig", "FunctionName")):
        for name, properties in view.of(kind):
            if not view.function(properties.get(key)) or properties.get("Qualifier") != "live":
                yield Violation(name, "it must name a function of this template and the qualifier live")
    for name, properties in view.of("Lambda::Url"):
        yield from (Violation(name, rule) for rule in _url(view, properties))


def _url(view: TemplateView, properties: Properties) -> Iterator[str]:
    kind = properties.get("AuthType")
    if kind not in {"NONE", "AWS_IAM"}:
        yield f"unknown authorization type {kind}"
    function = view.function(properties.get("TargetFunctionArn"))
    permitted = [
        permission
        for _, permission in view.of("Lambda::Permission")
        if permission.get("Principal") == "*"
        and view.live.get(lone_symbol(text(permission.get("FunctionName"))) or "") == function
    ]
    if kind == "AWS_IAM" and permitted:
        yield "its calls must be signed, and yet a permission lets anyone call"
    if kind == "NONE":
        actions = {permission.get("Action") for permission in permitted}
        # Both are needed: https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html
        for action in sorted({"lambda:InvokeFunctionUrl", "lambda:InvokeFunction"} - actions):
            yield f"no permission lets anyone call it ({action} on alias live)"


def _calls(view: TemplateView) -> Iterator[Call]:
    for name, properties in view.of("Lambda::EventSourceMapping"):
        yield Call(name, text(properties.get("FunctionName")))
    for name, properties in view.of("Events::Rule"):
        ways = (symbol(f"{name}.Arn"), f"arn:{PARTITION}:events:{REGION}:{ACCOUNT}:rule/{_rule_name(name, properties)}")
        for target in properties.get("Targets", []):
            yield Call(name, text(target.get("Arn")), "events.amazonaws.com", (ways,))
    for name, properties in view.of("SNS::Subscription"):
        topic = (text(properties.get("TopicArn")),)
        yield Call(name, text(properties.get("Endpoint")), "sns.amazonaws.com", (topic,))
    for name, properties in view.of("Scheduler::Schedule"):
        target = properties.get("Target", {})
        if view.refers_to(target.get("RoleArn"), "IAM::Role", "Arn"):
            yield Call(name, text(target.get("Arn")))
        else:
            yield Call(name, "a function under a role that is not of this template")


def _rule_name(name: str, properties: Properties) -> str:
    return text(properties.get("Name")) or symbol(name)


def _bucket_calls(view: TemplateView, notifications: Iterable[BucketNotification]) -> Iterator[Call]:
    aliases = {function: alias for alias, function in view.live.items()}
    for item in notifications:
        source = (f"arn:{PARTITION}:s3:::{item.bucket}",)
        target = symbol(aliases.get(item.function, ""))
        yield Call(item.function, target, "s3.amazonaws.com", (source,))


def _call(view: TemplateView, call: Call) -> Iterator[Violation]:
    alias = lone_symbol(call.target)
    if alias is None or alias not in view.live:
        yield Violation(call.resource, f"it calls {readable(call.target) or 'nothing'}, not an alias live")
        return
    for ways in call.sources:
        if not any(_permitted(view, alias, call.service, source) for source in ways):
            yield Violation(call.resource, f"no permission lets {call.service} ({readable(ways[0])}) call {alias}")


def _permitted(view: TemplateView, alias: str, service: str | None, source: str) -> bool:
    return any(
        properties.get("Principal") == service
        and properties.get("Action") == "lambda:InvokeFunction"
        and lone_symbol(text(properties.get("FunctionName"))) == alias
        and "EventSourceToken" not in properties
        and allows(text(properties.get("SourceArn")), source)
        for _, properties in view.of("Lambda::Permission")
    )


def _named(value: Any) -> str:
    return readable(text(value)) or "something that this gate cannot read"

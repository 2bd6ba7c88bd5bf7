"""The gate lets good templates pass, and none that was broken in one place."""

from __future__ import annotations

import contextlib
import copy
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from drafts import ACCOUNT, SURROUNDINGS, Maker, resource, with_template
from hypothesis import given
from hypothesis import strategies as st

from auto_lambda.errors import AppError, Code
from auto_lambda.model import BucketNotification, Template
from worker.deploy.gate.gate import pass_gate
from worker.model import Bundle

with tempfile.TemporaryDirectory() as folder:
    GOOD = Maker(Path(folder)).everything()

LAYER = next(name for name in GOOD.template["Resources"] if name.startswith("Dependencies"))
Path_ = tuple[str | int, ...]


def refusal(bundle: Bundle) -> str:
    with pytest.raises(AppError) as caught:
        pass_gate(bundle, SURROUNDINGS)
    assert caught.value.code is Code.TEMPLATE_REFUSED
    return caught.value.message


def broken(change: Callable[[dict[str, Any]], object]) -> str:
    """The refusal of the good bundle after a change of its resources."""
    template = copy.deepcopy(GOOD.template)
    change(template["Resources"])
    return refusal(with_template(GOOD, template))


def names(kind: str) -> list[str]:
    return sorted(name for name, one in GOOD.template["Resources"].items() if one["Type"] == f"AWS::{kind}")


def test_a_good_one_passes() -> None:
    pass_gate(GOOD, SURROUNDINGS)


@given(st.sampled_from(names("Lambda::Permission")))
def test_each_permission_is_needed(name: str) -> None:
    assert "permission" in broken(lambda resources: resources.pop(name))


@given(st.sampled_from(names("Lambda::Permission")), st.sampled_from(["Work", "Api", "Guard"]))
def test_a_permission_on_a_function_permits_nothing(name: str, function: str) -> None:
    message = broken(lambda resources: resources[name]["Properties"].update(FunctionName={"Ref": function}))
    assert f"{name}: it permits calls of ${{{function}}}, not of an alias live" in message


@given(st.sampled_from(names("Lambda::Permission")), st.sampled_from(["Work", "Api", "Guard"]))
def test_a_permission_on_another_alias_does_not_help(name: str, function: str) -> None:
    properties = GOOD.template["Resources"][name]["Properties"]
    if properties["FunctionName"] != {"Ref": f"{function}Live"}:
        broken(lambda resources: resources[name]["Properties"].update(FunctionName={"Ref": f"{function}Live"}))


def references(value: Any, path: Path_ = ()) -> Iterator[Path_]:
    """Where in a template an alias is named."""
    if isinstance(value, dict):
        if str(value.get("Ref", "")).endswith("Live") or "Live}" in str(value.get("Fn::Sub", "")):
            yield path
        for key, item in value.items():
            yield from references(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from references(item, (*path, index))


def at(value: Any, path: Path_) -> Any:
    for key in path:
        value = value[key]
    return value


@given(st.sampled_from(sorted(references(GOOD.template["Resources"]), key=str)))
def test_no_trigger_may_name_the_function(path: Path_) -> None:
    def point_at_function(resources: dict[str, Any]) -> None:
        found = at(resources, path)
        if "Ref" in found:
            found["Fn::GetAtt"] = [found.pop("Ref").removesuffix("Live"), "Arn"]
        else:
            found["Fn::Sub"] = found["Fn::Sub"].replace("Live}", ".Arn}")

    assert "not an alias live" in (message := broken(point_at_function)) or "not of an alias live" in message


@pytest.mark.parametrize(
    ("name", "changed", "why"),
    [
        ("Role", {"PermissionsBoundary": None}, "lacks the pipeline's permissions boundary"),
        ("Role", {"PermissionsBoundary": "arn:aws:iam::aws:policy/AdministratorAccess"}, "permissions boundary"),
        ("Role", {"Path": "/"}, "path is not /auto-lambda/"),
        ("Work", {"Code": {"S3Bucket": "elsewhere", "S3Key": "bundles/" + "0" * 64 + ".zip"}}, "not a bundle"),
        ("Work", {"Code": {"S3Bucket": "artifacts", "S3Key": "wheels/x.zip"}}, "not a bundle"),
        ("Work", {"Code": {"ZipFile": "import os"}}, "not a bundle"),
        (
            "Work",
            {"Role": f"arn:aws:iam::{ACCOUNT}:role/admin"},
            "which is neither in this template nor named after the app",
        ),
        (
            "Work",
            {"Role": f"arn:aws:iam::{ACCOUNT}:role/auto-lambda/other-app"},
            "which is neither in this template nor named after the app",
        ),
        ("Work", {"PackageType": "Image"}, "PackageType is not allowed"),
        ("Work", {"Layers": [{"Fn::Sub": "arn:${AWS::Partition}:x"}]}, "Layers: it names arn:aws:x, which is neither"),
        (LAYER, {"Content": {"S3Bucket": "artifacts", "S3Key": "layers/x.zip"}}, "not a layer"),
        ("WorkLive", {"Name": "dead"}, "called live"),
        ("WorkLive", {"FunctionVersion": "$LATEST"}, "Parameters: this section of a template is not allowed"),
        ("WorkLive", {"FunctionVersion": "7"}, "Parameters: this section of a template is not allowed"),
        ("WorkLive", {"FunctionName": {"Ref": "Api"}}, "alias"),
        ("WorkLive", {"RoutingConfig": {"AdditionalVersionWeights": []}}, "RoutingConfig is not allowed"),
        ("Url", {"Qualifier": None}, "the qualifier live"),
        ("Url", {"AuthType": "AWS_IAM"}, "must be signed"),
        ("Url", {"AuthType": "WHATEVER"}, "unknown authorization type"),
        ("Retries", {"Qualifier": "$LATEST"}, "the qualifier live"),
        ("Later", {"Target": {"Arn": {"Ref": "WorkLive"}, "RoleArn": "arn:aws:iam::1:role/x"}}, "under a role"),
        ("Method", {"AuthorizationType": "NONE"}, "does not use"),
        ("Method", {"AuthorizationType": "TOKEN"}, "unknown authorization type TOKEN"),
        ("Method", {"AuthorizationType": "COGNITO_USER_POOLS"}, "of type TOKEN does not go with"),
        ("Method", {"AuthorizationType": "NONE", "AuthorizerId": None}, "the route is open, though OldGuard"),
        ("Method", {"AuthorizerId": "abc123"}, "needs an authorizer of this template"),
        ("OldGuard", {"RestApiId": {"Ref": "Rest"}}, "belongs to another API"),
        ("SocketIntegration", {"IntegrationType": "HTTP_PROXY"}, "HTTP_PROXY is not allowed"),
        ("SocketIntegration", {"CredentialsArn": "arn:aws:iam::*:user/*"}, "may not carry credentials"),
        ("News", {"Protocol": "https"}, "may only call a function"),
        ("RulePermission", {"Principal": "999999999999"}, "may not be allowed to call"),
        ("RulePermission", {"SourceArn": None}, "must name the caller by SourceArn"),
        ("RulePermission", {"Principal": "*"}, "through its URL only"),
        ("RulePermission", {"SourceArn": "arn:aws:events:us-east-1:123456789012:rule/other"}, "no permission lets"),
        ("RestPermission", {"SourceArn": {"Fn::Sub": "arn:aws:execute-api:us-east-1:1:${Old}/*"}}, "no permission"),
    ],
)
def test_a_wrong_property(name: str, changed: dict[str, Any], why: str) -> None:
    def change(resources: dict[str, Any]) -> None:
        properties = resources[name]["Properties"] | changed
        resources[name]["Properties"] = {key: value for key, value in properties.items() if value is not None}

    assert why in broken(change)


def body(resources: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = resources["Rest"]["Properties"]["Body"]
    return found


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda it: it.pop("securityDefinitions"), "asks for authorizer guard, which is not defined"),
        (lambda it: it["paths"]["/"]["get"].pop("security"), "authorizer guard is on no route"),
        (lambda it: it["paths"]["/"]["get"].update(security=[{"guard": []}, {}]), "for none in particular"),
        (lambda it: it.update(security=[{"guard": []}]), "ignores security of the whole API"),
        (lambda it: guard(it).update(type="TOKEN"), "unknown type TOKEN"),
        (lambda it: guard(it).update(type="cognito_user_pools"), "names no user pool"),
        (lambda it: guard(it).pop("authorizerUri"), "names no function"),
        (lambda it: it["securityDefinitions"]["guard"].pop("x-amazon-apigateway-authorizer"), "guards nothing"),
        (lambda it: backend(it).update(type="http_proxy", uri="http://169.254.169.254/"), "http_proxy is not allowed"),
        (lambda it: backend(it).update(credentials="arn:aws:iam::1:role/x"), "may not carry credentials"),
        (lambda it: backend(it).pop("uri"), "it calls nothing"),
        (
            lambda it: guard(it).update(
                authorizerUri="arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/"
                "${stageVariables.x}/invocations"
            ),
            "not an alias live",
        ),
    ],
)
def test_a_wrong_route(change: Callable[[dict[str, Any]], object], why: str) -> None:
    assert why in broken(lambda resources: change(body(resources)))


def guard(it: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = it["securityDefinitions"]["guard"]["x-amazon-apigateway-authorizer"]
    return found


def backend(it: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = it["paths"]["/"]["get"]["x-amazon-apigateway-integration"]
    return found


def test_an_alias_at_the_version_of_another_function() -> None:
    def swapped(resources: dict[str, Any]) -> None:
        aliases = [resources[name]["Properties"] for name in ("WorkLive", "ApiLive")]
        versions = [one["FunctionVersion"] for one in aliases]
        for one, version in zip(aliases, reversed(versions), strict=True):
            one["FunctionVersion"] = version

    assert "WorkLive: its version must be the parameter AutoLambdaVersionWork" in broken(swapped)


def test_a_second_alias_on_the_same_function() -> None:
    assert "one alias" in broken(lambda resources: resources.update(Twin=copy.deepcopy(resources["WorkLive"])))


@pytest.mark.parametrize(
    "kind",
    ["IAM::User", "IAM::ManagedPolicy", "CloudFormation::Stack", "CloudFormation::CustomResource", "EC2::Instance"],
)
def test_a_type_that_is_not_on_the_list(kind: str) -> None:
    assert f"AWS::{kind} are not allowed" in broken(lambda resources: resources.update(New=resource(kind)))


@pytest.mark.parametrize("kind", ["Custom::Thing", None])
def test_a_type_of_no_service(kind: str | None) -> None:
    assert "are not allowed" in broken(lambda resources: resources.update(New={"Type": kind}))


@pytest.mark.parametrize("section", ["Transform", "Parameters", "Conditions", "Mappings", "Rules", "Hooks"])
def test_a_section_that_is_not_on_the_list(section: str) -> None:
    template: Template = {**GOOD.template, section: {}}
    assert f"{section}: this section" in refusal(with_template(GOOD, template))


def test_an_exported_output() -> None:
    outputs = {**GOOD.template["Outputs"], "Mine": {"Value": "x", "Export": {"Name": "vpc"}}}
    assert "Mine: outputs may not be exported" in refusal(with_template(GOOD, {**GOOD.template, "Outputs": outputs}))


@pytest.mark.parametrize(
    "value",
    [
        "{{resolve:ssm:/prod/password}}",
        "x{{ resolve:secretsmanager:db:SecretString}}",
        {"Fn::Sub": "{{resolve:ssm:${AWS::StackName}}}"},
        {"Fn::Join": ["", ["{", "{res", "olve:ssm:/prod/password}}"]]},
        {"Fn::Sub": ["{{${what}:ssm:x}}", {"what": "resolve"}]},
        {"Fn::ImportValue": "vpc"},
        {"Fn::Transform": {"Name": "AWS::Include", "Parameters": {"Location": "s3://x/y"}}},
        {"Fn::Select": [0, ["{{resolve:ssm:x}}"]]},
    ],
)
def test_values_that_would_read_with_our_rights(value: Any) -> None:
    def change(resources: dict[str, Any]) -> None:
        resources["Work"]["Properties"]["Environment"]["Variables"]["STOLEN"] = value

    assert "Work: " in broken(change)
    described = {"Mine": {"Value": value}}
    assert "Mine: " in refusal(with_template(GOOD, {**GOOD.template, "Outputs": described}))


@pytest.mark.parametrize(
    "statement",
    [
        {"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"},
        {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"},
        {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::999999999999:root"}, "Action": "sts:AssumeRole"},
        {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"},
        {
            "Effect": "Allow",
            "Principal": {"Service": ["lambda.amazonaws.com", "ecs.amazonaws.com"]},
            "Action": "sts:AssumeRole",
        },
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:*"},
        {"Effect": "Allow", "NotPrincipal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"},
        "Allow",
    ],
)
def test_a_role_that_others_could_take(statement: Any) -> None:
    def change(resources: dict[str, Any]) -> None:
        resources["Role"]["Properties"]["AssumeRolePolicyDocument"] = {"Statement": [statement]}

    assert "Role: its trust policy may only let" in broken(change)


@pytest.mark.parametrize(
    "properties", [{"Roles": ["admin"]}, {"Roles": []}, {}, {"Roles": [{"Ref": "Role"}], "Users": ["root"]}]
)
def test_a_policy_for_others(properties: dict[str, Any]) -> None:
    document = {"PolicyName": "p", "PolicyDocument": {}}
    policy = resource("IAM::Policy", **document, **properties)
    assert "Mine: " in broken(lambda resources: resources.update(Mine=policy))


def test_a_policy_for_its_own_role_passes() -> None:
    policy = resource("IAM::Policy", PolicyName="p", PolicyDocument={}, Roles=[{"Ref": "Role"}])
    pass_gate(
        with_template(GOOD, {**GOOD.template, "Resources": {**GOOD.template["Resources"], "Mine": policy}}),
        SURROUNDINGS,
    )


def test_a_shared_role_passes() -> None:
    template = copy.deepcopy(GOOD.template)
    template["Resources"]["Work"]["Properties"]["Role"] = f"arn:aws:iam::{ACCOUNT}:role/auto-lambda/shared/data"
    pass_gate(with_template(GOOD, template), SURROUNDINGS)


def test_an_authorizer_of_somebody_else_passes_and_never_our_own_by_name() -> None:
    template = copy.deepcopy(GOOD.template)
    uri = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:{ACCOUNT}:function:"
    guard(body(template["Resources"]))["authorizerUri"] = f"{uri}company-guard/invocations"
    pass_gate(with_template(GOOD, template), SURROUNDINGS)
    template["Resources"]["Work"]["Properties"]["FunctionName"] = "company-guard"
    assert "not an alias live" in refusal(with_template(GOOD, template))


@pytest.mark.parametrize("bucket", ["uploads", "artifacts"])
def test_the_pipelines_own_buckets_announce_to_no_app(bucket: str) -> None:
    subscription = BucketNotification(bucket, "Work", ("s3:ObjectCreated:*",))
    assert f"bucket {bucket} belongs to the pipeline" in refusal(replace(GOOD, notifications=(subscription,)))


def test_bucket_events_without_their_permission() -> None:
    subscription = BucketNotification("others", "Work", ("s3:ObjectCreated:*",))
    assert "no permission lets s3.amazonaws.com" in refusal(replace(GOOD, notifications=(subscription,)))


def paths(value: Any, path: Path_ = ()) -> Iterator[Path_]:
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from paths(item, (*path, key))


@given(
    st.sampled_from(sorted(paths({"Resources": GOOD.template["Resources"]}), key=str)),
    st.sampled_from(
        [None, 5, "x", "\x01WorkLive\x02", [], {}, [[]], {"Ref": 3}, {"Fn::Sub": ["${a}", {"a": {"Ref": "a"}}]}]
    ),
)
def test_nonsense_anywhere_passes_or_is_refused(path: Path_, junk: Any) -> None:
    template = copy.deepcopy(GOOD.template)
    at(template, path[:-1])[path[-1]] = junk
    with contextlib.suppress(AppError):
        pass_gate(with_template(GOOD, template), SURROUNDINGS)

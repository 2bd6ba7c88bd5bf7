from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import cfnlint.api
import cfnlint.config
import pytest
from drafts import BOUNDARY, HELLO, Maker, everything, resource, rest_template

from auto_lambda.errors import AppError, Code
from builder.protocol.messages import NotificationMessage
from worker.bundle import pointers, release
from worker.bundle.pointers import FunctionRelease
from worker.bundle.publish import serialize
from worker.model import Bundle


@pytest.fixture
def make(tmp_path: Path) -> Maker:
    return Maker(tmp_path)


def versions(bundle: Bundle) -> dict[str, FunctionRelease]:
    """What tells the version of each function apart."""
    found = ((name, pointers.release_of(bundle.template, name)) for name in pointers.functions(bundle.template))
    return {name: one for name, one in found if one}


def lint(template: dict[str, Any]) -> list[str]:
    found = cfnlint.api.lint(json.dumps(template), config=cfnlint.config.ManualArgs(regions=["us-east-1"]))
    return [f"{match.rule.id} {match.path}: {match.message}" for match in found]


def test_cfn_lint_finds_nothing(make: Maker) -> None:
    assert lint(make.everything().template) == []


def test_the_function_is_complete(make: Maker) -> None:
    bundle = make.bundle(
        rest_template(Layers=["arn:aws:lambda:us-east-1:123456789012:layer:theirs:3"]),
        layer={"dep.py": ""},
        environment={"COLOR": "red"},
    )
    properties = bundle.template["Resources"]["Api"]["Properties"]
    (code,) = (item.key for item in bundle.artifacts if item.path.name == "code.zip")
    layer, theirs = properties["Layers"]
    assert properties["Code"] == {"S3Bucket": "artifacts", "S3Key": code}
    assert (properties["Runtime"], properties["Architectures"]) == ("python3.12", ["x86_64"])
    assert bundle.template["Resources"][layer["Ref"]]["Properties"]["Content"]["S3Key"].startswith("layers/")
    assert theirs.endswith("theirs:3")
    stamp = versions(bundle)["Api"].stamp
    assert properties["Environment"]["Variables"] == {"COLOR": "red", "AUTO_LAMBDA_RELEASE": stamp}


def test_the_uploads_environment_wins_over_the_frameworks(make: Maker) -> None:
    template = rest_template(Environment={"Variables": {"COLOR": "blue", "SIZE": "3"}})
    bundle = make.bundle(template, environment={"COLOR": "red"})
    variables = bundle.template["Resources"]["Api"]["Properties"]["Environment"]["Variables"]
    assert (variables["COLOR"], variables["SIZE"]) == ("red", "3")


def test_every_trigger_names_the_alias(make: Maker) -> None:
    resources = make.everything().template["Resources"]
    left = {
        name
        for name, one in resources.items()
        if any(form in json.dumps(one["Properties"]) for form in ('"Work"', "${Work}", "${Work.", '"Work.Arn"'))
    }
    kept = {"WorkLive", "Url", "Retries"}
    assert left == kept, "these name a function and its alias apart, or no function at all"
    assert resources["Retries"]["Properties"]["Qualifier"] == "live"
    assert resources["Url"]["DependsOn"] == ["WorkLive"]


def test_functions_that_cloudformation_names_log_in_the_apps_namespace(make: Maker) -> None:
    """Such names are the stack's, cut off where they are too long, so no policy could tell whose they are."""
    resources = make.everything().template["Resources"]
    groups = {
        name: one["Properties"].get("LoggingConfig", {}).get("LogGroup")
        for name, one in resources.items()
        if one["Type"] == "AWS::Lambda::Function"
    }
    assert groups["Work"] == "/aws/lambda/shop-dev/Work"
    assert resources["Logs"]["Properties"]["LogGroupName"] == groups["Work"]


def test_a_function_with_a_name_keeps_its_log_group(make: Maker) -> None:
    bundle = make.bundle(rest_template(FunctionName="shop-dev"))
    assert "LoggingConfig" not in bundle.template["Resources"]["Api"]["Properties"]


def test_roles_stand_under_the_boundary(make: Maker) -> None:
    resources = make.everything().template["Resources"]
    for name in ("Role", "LaterRole"):
        assert resources[name]["Properties"]["PermissionsBoundary"] == BOUNDARY
        assert resources[name]["Properties"]["Path"] == "/auto-lambda/"


def test_layers_outlive_their_update_and_versions_are_nothing_of_the_stack(make: Maker) -> None:
    resources = make.everything().template["Resources"].values()
    assert not [one for one in resources if one["Type"] == "AWS::Lambda::Version"]
    kept = [one for one in resources if one["Type"] == "AWS::Lambda::LayerVersion"]
    assert len(kept) == 1
    assert all(one["DeletionPolicy"] == "RetainExceptOnCreate" for one in kept)
    assert all(one["UpdateReplacePolicy"] == "Retain" for one in kept)


def test_same_draft_same_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first, second = Maker(tmp_path / "a").everything(), Maker(tmp_path / "b").everything()
    assert serialize(first.template) == serialize(second.template)
    assert [item.key for item in first.artifacts] == [item.key for item in second.artifacts]


def test_the_draft_stays_as_it_was(make: Maker) -> None:
    template = everything()
    make.bundle(template)
    assert template == everything()


@pytest.mark.parametrize(
    "change",
    [
        {"code": HELLO + "#"},
        {"layer": {"dep.py": "x"}},
        {"environment": {"COLOR": "red"}},
        {"template": rest_template(Timeout=4)},
    ],
    ids=["code", "layer", "environment", "setting"],
)
def test_what_is_published_names_the_version(make: Maker, change: dict[str, Any]) -> None:
    assert versions(make.bundle(**change)) != versions(make.bundle())


def test_a_change_of_code_alone_sets_no_variable(make: Maker) -> None:
    one, other = versions(make.bundle())["Api"], versions(make.bundle(code=HELLO + "#"))["Api"]
    assert one.stamp == other.stamp
    assert one.code_sha256 != other.code_sha256
    assert one.name != other.name


@pytest.mark.parametrize("name", ["Tags", "ReservedConcurrentExecutions"])
def test_what_is_not_published_does_not(make: Maker, name: str) -> None:
    value = [{"Key": "a", "Value": "b"}] if name == "Tags" else 3
    assert versions(make.bundle(rest_template(**{name: value}))) == versions(make.bundle())


def test_a_change_of_what_the_function_refers_to_names_a_new_version(make: Maker) -> None:
    """CloudFormation may replace the role, and an old version would go on with the old one."""
    template = rest_template()
    template["Resources"]["Role"]["Properties"]["RoleName"] = "other"
    assert versions(make.bundle(template)) != versions(make.bundle())


def test_a_change_elsewhere_names_no_new_version(make: Maker) -> None:
    template = rest_template()
    template["Resources"]["RestStage"]["Properties"]["TracingEnabled"] = True
    assert versions(make.bundle(template)) == versions(make.bundle())


def test_bucket_events_come_with_their_permission(make: Maker) -> None:
    hook = NotificationMessage(bucket="pictures", function="Api", events=["s3:ObjectCreated:*"])
    bundle = make.bundle(
        notifications=(
            hook,
            NotificationMessage(bucket="pictures", function="Api", events=["s3:ObjectRemoved:*"], called=["jobs.gone"]),
        )
    )
    found = [
        one["Properties"]
        for one in bundle.template["Resources"].values()
        if one["Properties"].get("Principal") == "s3.amazonaws.com"
    ]
    assert [one["FunctionName"] for one in found] == [{"Ref": "ApiLive"}]
    assert release.notifications(bundle.template) == bundle.notifications
    assert [one.called for one in bundle.notifications] == [(), ("jobs.gone",)]


def test_outputs_name_url_function_version_and_aliases(make: Maker) -> None:
    bundle = make.everything()
    outputs = bundle.template["Outputs"]
    assert outputs["AutoLambdaFunction"] == {"Value": {"Ref": "Api"}}
    assert outputs["AutoLambdaVersion"] == {"Value": {"Ref": "AutoLambdaVersionApi"}}
    assert "execute-api" in outputs["AutoLambdaUrl"]["Value"]["Fn::Sub"]
    assert outputs["AutoLambdaAliasWork"] == {"Value": {"Ref": "WorkLive"}}
    assert "AutoLambdaUrl" not in make.bundle(url=False).template["Outputs"]


def test_provisioned_concurrency_belongs_to_the_alias(make: Maker) -> None:
    template = rest_template()
    template["Resources"]["Api"]["Metadata"] = {"AutoLambda": {"ProvisionedConcurrency": 2}}
    alias = make.bundle(template).template["Resources"]["ApiLive"]["Properties"]
    assert alias["ProvisionedConcurrencyConfig"] == {"ProvisionedConcurrentExecutions": 2}


def test_a_name_that_is_needed_is_taken(make: Maker) -> None:
    template = rest_template()
    template["Resources"]["ApiLive"] = resource("SQS::Queue")
    with pytest.raises(AppError, match="ApiLive") as caught:
        make.bundle(template)
    assert caught.value.code is Code.COMPILE_FAILED


def test_the_template_describes_its_release(make: Maker) -> None:
    bundle = make.bundle(health_path="up")
    assert bundle.health_path == "/up"
    described = copy.deepcopy(bundle.template["Metadata"]["AutoLambda"])
    assert described.pop("Notifications") == []
    assert described == {
        "Framework": "chalice", "Python": "3.12", "Architecture": "x86_64", "Main": "Api", "HasUrl": True,
        "HealthPath": "/up",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["AutoLambdaUrl", "autolambdaurl", "AutoLambdaVersion", "AutoLambdaAliasOther"])
def test_an_app_cannot_set_what_is_read_as_ours(make: Maker, name: str) -> None:
    template = {**rest_template(), "Outputs": {name: {"Value": "http://127.0.0.1/"}, "Mine": {"Value": "x"}}}
    outputs = make.bundle(template, url=False).template["Outputs"]
    assert outputs["Mine"] == {"Value": "x"}
    assert {"Value": "http://127.0.0.1/"} not in outputs.values()

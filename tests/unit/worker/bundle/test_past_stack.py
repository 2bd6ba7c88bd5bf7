"""What may go past the stack, and what has to go through it."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from drafts import resource, role

from auto_lambda.model import Template
from worker.bundle.past_stack import needs_nothing_new, same_layers, settings

TABLE = {"Ref": "Table"}
LIVE: dict[str, Any] = {
    "Handler": "app.handler",
    "Timeout": 3,
    "Role": {"Fn::GetAtt": ["Role", "Arn"]},
    "Code": {"S3Bucket": "artifacts", "S3Key": "bundles/1.zip"},
    "Layers": [{"Ref": "Dependencies1"}],
    "Environment": {"Variables": {"COLOR": "red", "TABLE": TABLE}},
}
RELEASED: dict[str, Any] = {
    "Handler": "app.handler",
    "Timeout": 3,
    "Role": "arn:role",
    "Environment": {"Variables": {"COLOR": "red", "TABLE": "shop-table"}},
}


def template(**resources: Any) -> Template:
    listed = {
        "Api": resource("Lambda::Function", Handler="app.handler"),
        "Role": role(),
        "Dependencies1": resource("Lambda::LayerVersion", LayerName="shop"),
        "ApiLive": resource("Lambda::Alias", FunctionName={"Ref": "Api"}, Name="live"),
        "Rule": resource("Events::Rule", Targets=[{"Arn": {"Ref": "ApiLive"}}]),
        **resources,
    }
    return {"Resources": {name: one for name, one in listed.items() if one}}


def role_for(*actions: str) -> dict[str, Any]:
    made = copy.deepcopy(role())
    statements = [{"Effect": "Allow", "Action": one, "Resource": "*"} for one in actions]
    made["Properties"]["Policies"] = [
        {"PolicyName": "own", "PolicyDocument": {"Version": "2012-10-17", "Statement": statements}}
    ]
    return made


@pytest.mark.parametrize(
    ("live", "wanted", "nothing"),
    [
        pytest.param({}, {}, True, id="the same"),
        pytest.param({}, {"Api": resource("Lambda::Function", Handler="other.handler")}, True, id="a function"),
        pytest.param({}, {"Dependencies2": resource("Lambda::LayerVersion", LayerName="shop")}, True, id="a layer"),
        pytest.param({}, {"Rule": resource("Events::Rule", State="DISABLED")}, True, id="a trigger"),
        pytest.param({}, {"Rule": None}, True, id="no trigger any more"),
        pytest.param({"Queue": resource("SQS::Queue")}, {}, True, id="no queue any more"),
        pytest.param({}, {"Queue": resource("SQS::Queue")}, False, id="a queue"),
        pytest.param({}, {"Other": resource("Lambda::Function", Handler="app.other")}, False, id="another function"),
        pytest.param({"Role": role_for("s3:Get")}, {"Role": role_for("s3:Get", "s3:Put")}, False, id="a right"),
        pytest.param({"Role": role_for("s3:Get", "s3:Put")}, {"Role": role_for("s3:Put")}, True, id="a right less"),
        pytest.param({"Api": resource("SQS::Queue")}, {}, False, id="a function in place of something else"),
        pytest.param({"Queue": resource("SQS::Queue")}, {"Queue": resource("SNS::Topic")}, False, id="another kind"),
    ],
)
def test_what_needs_nothing_new(live: dict[str, Any], wanted: dict[str, Any], nothing: bool) -> None:
    assert needs_nothing_new(template(**live), template(**wanted)) is nothing


def change(**properties: Any) -> dict[str, Any] | None:
    return settings(LIVE, {**LIVE, **properties}, RELEASED)


def variables(**given: Any) -> dict[str, Any]:
    return {"Environment": {"Variables": given}}


def test_what_is_referred_to_is_known_from_the_version_that_is_live() -> None:
    assert change(Timeout=7, **variables(COLOR="blue", TABLE=TABLE)) == {
        **RELEASED,
        "Timeout": 7,
        **variables(COLOR="blue", TABLE="shop-table"),
    }


def test_a_variable_may_come_and_go() -> None:
    assert change(**variables(SIZE="small")) == {**RELEASED, **variables(SIZE="small")}


@pytest.mark.parametrize(
    "properties",
    [
        pytest.param({"Code": {"S3Bucket": "artifacts", "S3Key": "bundles/2.zip"}}, id="code"),
        pytest.param({"Layers": []}, id="layers, which versions are told apart by"),
        pytest.param({"ReservedConcurrentExecutions": 5}, id="what no version has"),
    ],
)
def test_what_is_none_of_the_settings_changes_none(properties: dict[str, Any]) -> None:
    assert change(**properties) == RELEASED


@pytest.mark.parametrize(
    "properties",
    [
        pytest.param({"Role": {"Fn::GetAtt": ["Other", "Arn"]}}, id="a role"),
        pytest.param({"Timeout": "7"}, id="a number as text"),
        pytest.param({"Handler": {"Ref": "Handler"}}, id="a reference"),
        pytest.param({"VpcConfig": {"SubnetIds": ["subnet-1"]}}, id="a network"),
        pytest.param(variables(COLOR="red", TABLE={"Ref": "Other"}), id="a variable with another reference"),
        pytest.param(variables(COLOR="red", TABLE=TABLE, SIZE=5), id="a variable that is a number"),
    ],
)
def test_the_rest_is_left_to_cloudformation(properties: dict[str, Any]) -> None:
    assert change(**properties) is None


@pytest.mark.parametrize("told", [{}, {"COLOR": "green", "TABLE": "shop-table"}], ids=["none", "others"])
def test_nothing_is_known_if_lambda_does_not_tell_the_variables_of_the_stack(told: dict[str, str]) -> None:
    """Those that are encrypted with a key of the app's own, say."""
    assert settings(LIVE, LIVE, {**RELEASED, **variables(**told)}) is None


def test_layers_are_compared_as_the_templates_have_them() -> None:
    assert same_layers(LIVE, LIVE)
    assert not same_layers(LIVE, {**LIVE, "Layers": [{"Ref": "Dependencies2"}]})

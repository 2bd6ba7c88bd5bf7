import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from auto_lambda.model import Template
from builder.lint.schemas import findings

ROOT = Path(__file__).parents[4]


def template(kind: str, **properties: Any) -> Template:
    return {"Resources": {"One": {"Type": f"AWS::{kind}", "Properties": properties}}}


def function(**properties: Any) -> Template:
    return template("Lambda::Function", Handler="app.handler", Role={"Fn::GetAtt": ["Role", "Arn"]}, **properties)


def test_the_schemas_are_those_of_the_cfn_lint_that_is_installed() -> None:
    script = ROOT / "scripts/lint_schemas.py"
    made = subprocess.run([sys.executable, script, "--print"], capture_output=True, text=True, check=True, cwd=ROOT)
    assert (ROOT / "builder/lint/schemas.json").read_text() == made.stdout


@pytest.mark.parametrize(
    ("given", "path", "told"),
    [
        (function(MemorySize=64), ("MemorySize",), "less than the minimum of 128"),
        (function(MemorySize=10_241), ("MemorySize",), "greater than the maximum of 10240"),
        (function(Timeout=901), ("Timeout",), "greater than the maximum of 900"),
        (function(Timeout="soon"), ("Timeout",), "integer"),
        (function(Environment={"Variables": {"MY-VAR": "a"}}), ("Environment", "Variables"), "'MY-VAR'"),
        (function(Environment={"Variables": {"AWS_REGION": "a"}}), ("Environment", "Variables"), "AWS_REGION itself"),
        (function(Environment={"Variables": {"PYTHONHOME": "a"}}), ("Environment", "Variables"), "with PYTHONHOME"),
        (function(EphemeralStorage={"Size": 100}), ("EphemeralStorage", "Size"), "minimum of 512"),
        (function(Timeout="901"), ("Timeout",), "901 is greater than the maximum of 900"),
        (function(MemorySize="64"), ("MemorySize",), "64 is less than the minimum of 128"),
        (function(Description="x" * 257), ("Description",), "... is longer than 256 characters"),
        (template("Logs::LogGroup", RetentionInDays="8"), ("RetentionInDays",), "8 is none of 1, 3, 5, 7, 14, 30,"),
        (function(Colour="red"), (), "Colour"),
        (template("ApiGateway::Stage", RestApiId={"Ref": "Api"}, StageName="my.stage"), ("StageName",), "my.stage"),
        (template("ApiGatewayV2::Stage", ApiId={"Ref": "Api"}, StageName="a b"), ("StageName",), "a b"),
        (template("ApiGateway::RestApi", BinaryMediaTypes=["a/b", "a/b"]), ("BinaryMediaTypes",), "non-unique"),
        (template("Logs::LogGroup", RetentionInDays=31), ("RetentionInDays",), "31"),
        (template("Lambda::Permission", Action="lambda:InvokeFunction", Principal="*"), (), "FunctionName"),
    ],
)
def test_what_the_services_refuse_is_found(given: Template, path: tuple[str, ...], told: str) -> None:
    found = list(findings(given))
    assert [one.path for one in found] == [path]
    assert told in found[0].reason


@pytest.mark.parametrize(
    "given",
    [
        function(MemorySize=128, Timeout=900),
        template("Logs::LogGroup", RetentionInDays="7"),
        function(MemorySize="512", Timeout={"Ref": "Seconds"}, Description=5),
        function(Environment={"Variables": {"MY_VAR": {"Fn::Sub": "${AWS::Region}"}}}),
        function(VpcConfig={"SubnetIds": ["subnet-0"], "SecurityGroupIds": [{"Ref": "Group"}]}),
        template("ApiGatewayV2::Stage", ApiId={"Ref": "Api"}, StageName="$default", AutoDeploy="true"),
        template("Custom::Thing", Anything=1),  # the gate refuses it
    ],
)
def test_what_the_services_take_is_left_alone(given: Template) -> None:
    assert list(findings(given)) == []


def test_the_value_of_a_variable_is_not_told() -> None:
    (found,) = findings(function(Environment={"Variables": {"MY-VAR": "hidden"}}))
    assert "hidden" not in found.reason


def test_of_settings_alone_no_property_is_missing() -> None:
    given = template("Lambda::Function", MemorySize=64)
    assert {one.path for one in findings(given)} == {("MemorySize",), ()}
    assert [one.path for one in findings(given, whole=False)] == [("MemorySize",)]

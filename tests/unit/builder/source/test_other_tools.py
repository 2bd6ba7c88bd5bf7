from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from auto_lambda.errors import AppError, Code
from auto_lambda.keys import App
from builder.source.inspect import Defaults, inspect
from builder.source.other_tools import other_tool

SAM = """
AWSTemplateFormatVersion: '2010-09-09'
Transform: AWS::Serverless-2016-10-31
Globals:
  Function:
    Timeout: 7
Resources:
  HelloWorldFunction:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: hello_world/
      Handler: app.lambda_handler
      MemorySize: 256
      Environment: {Variables: {TABLE: !Ref Table}}
      Events:
        Api: {Type: Api, Properties: {Path: /hello, Method: get}}
        Daily: {Type: Schedule, Properties: {Schedule: rate(1 day), Input: !Sub '${x}'}}
  Table:
    Type: AWS::DynamoDB::Table
Outputs:
  Arn: {Value: !GetAtt HelloWorldFunction.Arn}
"""
SERVERLESS = """
service: shop
provider: {name: aws, runtime: python3.12}
functions:
  hello:
    handler: src/handler.hello
    timeout: 20
    events:
      - httpApi: '*'
      - schedule: rate(10 minutes)
      - schedule: {rate: 'cron(0 12 * * ? *)'}
custom:
  table: ${self:service}-table
"""
HANDLER = "def lambda_handler(event, context): ...\n"
DEFAULTS = Defaults(python="3.12", pythons=("3.12",))


def said(error: AppError | None) -> dict[str, object]:
    """The auto-lambda.toml that a hint shows."""
    assert error is not None
    assert error.code == Code.NO_FRAMEWORK
    return tomllib.loads(error.hint.partition(":\n")[2])


def test_a_sam_app_is_told_what_to_write(tmp_path: Path) -> None:
    (tmp_path / "template.yaml").write_text(SAM)
    error = other_tool(tmp_path, "")
    assert said(error) == {
        "functions": {
            "HelloWorldFunction": {
                "handler": "hello_world/app.lambda_handler", "memory": 256, "timeout": 7, "url": True,
                "schedule": ["rate(1 day)"],
            }
        }
    }  # fmt: skip


def test_the_folder_of_all_code_is_the_root_as_its_requirements_are_there(tmp_path: Path) -> None:
    (tmp_path / "template.yaml").write_text(SAM)
    (tmp_path / "hello_world").mkdir()
    found = said(other_tool(tmp_path, ""))
    assert found["root"] == "hello_world"
    assert found["functions"]["HelloWorldFunction"]["handler"] == "app.lambda_handler"  # type: ignore[index]


def test_an_app_of_the_serverless_framework_is_told_what_to_write(tmp_path: Path) -> None:
    (tmp_path / "serverless.yml").write_text(SERVERLESS)
    schedules = ["rate(10 minutes)", "cron(0 12 * * ? *)"]
    assert said(other_tool(tmp_path, "")) == {
        "functions": {"hello": {"handler": "src/handler.hello", "timeout": 20, "url": True, "schedule": schedules}}
    }


def test_who_follows_the_hint_has_a_plain_app(tmp_path: Path) -> None:
    (tmp_path / "hello_world").mkdir()
    (tmp_path / "hello_world" / "app.py").write_text(HANDLER)
    (tmp_path / "template.yaml").write_text(SAM)
    with pytest.raises(AppError) as caught:
        inspect(App("dev", "shop"), tmp_path, DEFAULTS)
    (tmp_path / "auto-lambda.toml").write_text(caught.value.hint.partition(":\n")[2])
    source = inspect(App("dev", "shop"), tmp_path, DEFAULTS)
    assert source.framework == "plain"
    assert source.root == tmp_path / "hello_world"
    assert source.options.functions["HelloWorldFunction"].handler == "app.lambda_handler"


def test_a_wsgi_app_is_told_its_zappa_settings(tmp_path: Path) -> None:
    text = "custom:\n  wsgi: {app: api/app.app}\nfunctions:\n  app: {handler: wsgi_handler.handler}\n"
    (tmp_path / "serverless.yml").write_text(text)
    error = other_tool(tmp_path, "")
    assert error is not None
    assert error.hint.endswith('{"dev": {"app_function": "api.app.app"}}')


@pytest.mark.parametrize("text", ["Resources: {Q: {Type: AWS::SQS::Queue}}", "a: b", "", "[]", "x"])
def test_another_template_means_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "template.yaml").write_text(text)
    assert other_tool(tmp_path, "") is None


@pytest.mark.parametrize("text", ["a: [", "[" * 3000, "a: &a [*a]", "\0", "a: b\n" * 30_000])
def test_what_cannot_be_read_is_the_uploaders(tmp_path: Path, text: str) -> None:
    (tmp_path / "serverless.yml").write_text(text)
    with pytest.raises(AppError) as caught:
        other_tool(tmp_path, "")
    assert caught.value.code in (Code.BAD_CONFIG, Code.NO_FRAMEWORK)


@pytest.mark.parametrize(
    "text",
    ["functions: {a: 1}", "functions: {'': {handler: [1]}}", "functions: []", "", "functions: {é: {handler: x}}"],
)
def test_odd_configurations_are_refused_all_the_same(tmp_path: Path, text: str) -> None:
    (tmp_path / "serverless.yml").write_text(text)
    assert said(other_tool(tmp_path, "")).keys() == {"functions"}


@pytest.mark.parametrize("said", ["framework = 'plain'", "root = '.'", "[functions.a]\nhandler = 'lambda_function.x'"])
def test_whoever_says_it_here_may_keep_the_template(tmp_path: Path, said: str) -> None:
    (tmp_path / "template.yaml").write_text(SAM)
    (tmp_path / "lambda_function.py").write_text(HANDLER)
    (tmp_path / "auto-lambda.toml").write_text(said)
    assert inspect(App("dev", "shop"), tmp_path, DEFAULTS).framework == "plain"

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from auto_lambda.errors import AppError, Code
from auto_lambda.keys import App
from builder.source.inspect import Defaults, inspect
from builder.source.other_tools.find import ignored_templates, other_tool

SAM = """
AWSTemplateFormatVersion: '2010-09-09'
Transform: AWS::Serverless-2016-10-31
Parameters:
  Level: {Type: String, Default: info}
  Token: {Type: String, NoEcho: true}
Globals:
  Function:
    Timeout: 7
    Runtime: python3.12
    Environment: {Variables: {LOG_LEVEL: !Ref Level, MODE: shared}}
Resources:
  HelloWorldFunction:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: hello_world/
      Handler: app.lambda_handler
      MemorySize: 256
      EphemeralStorage: {Size: 1024}
      Policies: [AmazonS3ReadOnlyAccess]
      Environment: {Variables: {
        TABLE: !Ref Table, MODE: own, API_TOKEN: !Ref Token, DB_PASSWORD: hunter22, AWS_REGION: x}}
      Events:
        Api: {Type: Api, Properties: {Path: /hello, Method: get}}
        Daily: {Type: Schedule, Properties: {Schedule: rate(1 day), Input: !Sub '${x}'}}
        Nightly: {Type: ScheduleV2, Properties: {ScheduleExpression: 'cron(0 1 * * ? *)'}}
        Jobs: {Type: SQS, Properties: {Queue: !GetAtt Queue.Arn, BatchSize: 5}}
        More: {Type: SQS, Properties: {Queue: !Sub 'arn:${AWS::Partition}:sqs:${AWS::Region}:${AWS::AccountId}:more'}}
        News: {Type: SNS, Properties: {Topic: arn:aws:sns:us-east-1:123456789012:news}}
        Unnamed: {Type: SNS, Properties: {Topic: !Ref Topic}}
        Images: {Type: S3, Properties: {Bucket: !Ref Bucket, Events: s3:ObjectCreated:*, Filter: {S3Key: {Rules: [
          {Name: prefix, Value: in/}, {Name: suffix, Value: .png}]}}}}
        Stream: {Type: DynamoDB, Properties: {Stream: !GetAtt Table.StreamArn}}
  Page: {Type: AWS::Serverless::Function, Properties: {Runtime: nodejs20.x, Handler: index.handler}}
  Table:
    Type: AWS::DynamoDB::Table
  Queue: {Type: AWS::SQS::Queue, Properties: {QueueName: jobs}}
  Topic: {Type: AWS::SNS::Topic}
  Bucket: {Type: AWS::S3::Bucket, Properties: {BucketName: my-images}}
Outputs:
  Arn: {Value: !GetAtt HelloWorldFunction.Arn}
"""
SERVERLESS = """
service: shop
provider:
  name: aws
  runtime: python3.12
  memorySize: 512
  environment: {STAGE: '${self:custom.stage}', TABLE: '${self:service}-table', LOG_LEVEL: info}
  iam: {role: {statements: [{Effect: Allow, Action: 's3:*', Resource: '*'}]}}
functions:
  hello:
    handler: src/handler.hello
    timeout: 20
    environment: {LOG_LEVEL: debug, MODE: fast}
    events:
      - httpApi: '*'
      - schedule: rate(10 minutes)
      - schedule: {rate: ['cron(0 12 * * ? *)']}
      - sqs: {arn: 'arn:aws:sqs:${aws:region}:${aws:accountId}:jobs', batchSize: 5}
      - sns: news
      - sns: {arn: !Ref Topic, topicName: other}
      - s3: {bucket: '${self:custom.bucket}', event: 's3:ObjectRemoved:*', rules: [{prefix: in/}]}
      - s3: '${env:BUCKET}'
      - stream: arn:aws:dynamodb:us-east-1:123456789012:table/x
  page: {handler: index.handler, runtime: nodejs20.x}
custom:
  table: ${self:service}-table
  stage: live
  bucket: my-images
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
        "python": "3.12",
        "environment": {"LOG_LEVEL": "info", "MODE": "own"},
        "functions": {
            "HelloWorldFunction": {
                "handler": "hello_world/app.lambda_handler", "memory": 256, "timeout": 7, "disk": 1024, "url": True,
                "schedule": ["rate(1 day)", "cron(0 1 * * ? *)"], "queue": ["jobs", "more"], "batch_size": 5,
                "topic": ["arn:aws:sns:us-east-1:123456789012:news"],
                "bucket": [{"name": "my-images", "prefix": "in/", "suffix": ".png", "events": ["s3:ObjectCreated:*"]}],
            }
        },
    }  # fmt: skip


def test_what_no_line_can_say_is_told_and_no_secret_is(tmp_path: Path) -> None:
    (tmp_path / "template.yaml").write_text(SAM)
    hint = getattr(other_tool(tmp_path, ""), "hint", "")
    for word in (
        "# no Python, and left out: Page", "# TABLE: only the other tool knows its value",
        "# API_TOKEN: only the other tool knows its value", "# DB_PASSWORD: copy its value here, or set a secret by",
        "# topic: make the one that the template makes", "# event Stream of type DynamoDB: nothing here calls",
        'add policy = "policy.json"',
    ):  # fmt: skip
        assert word in hint
    assert "hunter22" not in hint
    assert "AWS_REGION" not in hint


def test_the_folder_of_all_code_is_the_root_as_its_requirements_are_there(tmp_path: Path) -> None:
    (tmp_path / "template.yaml").write_text(SAM)
    (tmp_path / "hello_world").mkdir()
    found = said(other_tool(tmp_path, ""))
    assert found["root"] == "hello_world"
    assert found["functions"]["HelloWorldFunction"]["handler"] == "app.lambda_handler"  # type: ignore[index]


def test_an_app_of_the_serverless_framework_is_told_what_to_write(tmp_path: Path) -> None:
    (tmp_path / "serverless.yml").write_text(SERVERLESS)
    error = other_tool(tmp_path, "")
    assert said(error) == {
        "python": "3.12",
        "environment": {"LOG_LEVEL": "info", "MODE": "fast", "STAGE": "live"},
        "functions": {"hello": {
            "handler": "src/handler.hello", "memory": 512, "timeout": 20, "url": True, "batch_size": 5,
            "schedule": ["rate(10 minutes)", "cron(0 12 * * ? *)"], "queue": ["jobs"], "topic": ["news"],
            "bucket": [{"name": "my-images", "prefix": "in/", "events": ["s3:ObjectRemoved:*"]}],
        }},
    }  # fmt: skip
    assert error is not None
    for word in (
        "# no Python, and left out: page", "# TABLE: only the other tool", "# topic: name the one",
        "# bucket: name the one",
        "# event stream: nothing here calls a function so", 'add policy = "policy.json"',
    ):  # fmt: skip
        assert word in error.hint


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
    text = "provider: {environment: {AA: b}}\ncustom:\n  wsgi: {app: api/app.app}\n"
    text += "functions:\n  app: {handler: wsgi_handler.handler}\n"
    (tmp_path / "serverless.yml").write_text(text)
    error = other_tool(tmp_path, "")
    assert error is not None
    assert error.hint.endswith('{"dev": {"app_function": "api.app.app"}}')
    assert "its variables (AA) go into environment_variables" in error.hint


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


CLOUDFORMATION = """
Resources:
  Work:
    Type: AWS::Lambda::Function
    Properties: {Handler: work.run, Runtime: python3.12, Timeout: 60, Code: {S3Bucket: b, S3Key: k},
                 Environment: {Variables: {MODE: fast}}}
  Jobs: {Type: AWS::SQS::Queue}
"""


@pytest.mark.parametrize("name", ["template.yaml", "cloudformation.yml", "stack.yaml"])
def test_functions_in_a_template_of_cloudformation_are_told_where_nothing_else_is(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(CLOUDFORMATION)
    (tmp_path / "work.py").write_text("def run(records, lambda_context): ...\n")
    with pytest.raises(AppError) as caught:
        inspect(App("dev", "shop"), tmp_path, DEFAULTS)
    assert caught.value.message == f"{name} is a template of CloudFormation, which is not read here"
    assert said(caught.value) == {
        "python": "3.12", "environment": {"MODE": "fast"}, "functions": {"Work": {"handler": "work.run", "timeout": 60}}
    }  # fmt: skip


def test_a_template_beside_an_app_is_ignored_with_a_warning(tmp_path: Path) -> None:
    (tmp_path / "template.yaml").write_text(CLOUDFORMATION)
    (tmp_path / "app.py").write_text("from flask import Flask\napp = Flask(__name__)\n@app.route('/')\ndef i(): ...\n")
    source = inspect(App("dev", "shop"), tmp_path, DEFAULTS)
    (warning,) = [one for one in source.warnings if "CloudFormation" in one]
    assert warning.startswith(
        "template.yaml is a template of CloudFormation, which is ignored: what it makes (AWS::SQS"
    )


@pytest.mark.parametrize(
    "text", ["a: [", "Resources: {A: {Type: Custom::X}}", "Resources: {A: {Type: AWS::Lambda::X}}"]
)
def test_a_file_that_makes_nothing_else_gives_no_warning(tmp_path: Path, text: str) -> None:
    (tmp_path / "template.yaml").write_text(text)
    assert ignored_templates(tmp_path, "") == ()


def test_what_chalice_has_packaged_is_not_its_app(tmp_path: Path) -> None:
    (tmp_path / "sam.json").write_text('{"Resources": {"A": {"Type": "AWS::Serverless::Function"}}}')
    (tmp_path / "deployment.zip").write_bytes(b"PK")
    with pytest.raises(AppError) as caught:
        inspect(App("dev", "shop"), tmp_path, DEFAULTS)
    assert "sam.json is what `chalice package` has written" in caught.value.message
    assert "Zip the chalice project's own folder" in caught.value.hint


@pytest.mark.parametrize("said", ["framework = 'plain'", "root = '.'", "[functions.a]\nhandler = 'lambda_function.x'"])
def test_whoever_says_it_here_may_keep_the_template(tmp_path: Path, said: str) -> None:
    (tmp_path / "template.yaml").write_text(SAM)
    (tmp_path / "lambda_function.py").write_text(HANDLER)
    (tmp_path / "auto-lambda.toml").write_text(said)
    assert inspect(App("dev", "shop"), tmp_path, DEFAULTS).framework == "plain"

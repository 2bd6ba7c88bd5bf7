"""What an app needs and the account lacks is told before anything is changed; a look-up that fails refuses nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from drafts import ACCOUNT, APP, SURROUNDINGS, function, resource
from fake_credentials import set_credentials
from moto import mock_aws

from auto_lambda.aws.existence import Existing
from auto_lambda.errors import AppError, Code
from auto_lambda.model import BucketNotification, FrameworkName
from worker.deploy.lookups.check import LookUps
from worker.model import Bundle

ORDERS = {"Fn::Sub": "arn:${AWS::Partition}:sqs:${AWS::Region}:${AWS::AccountId}:orders"}
NEWS = f"arn:aws:sns:us-east-1:{ACCOUNT}:news"
CLICKS = f"arn:aws:kinesis:us-east-1:{ACCOUNT}:stream/clicks"
CHANGES = f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/t/stream/2026-01-01T00:00:00.000"
HOOKS = {"lambda": {"Ref": "WorkLive"}}


@pytest.fixture(autouse=True)
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    set_credentials(monkeypatch)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        yield


def client(service: str) -> Any:
    return boto3.client(service, region_name="us-east-1")  # type: ignore[call-overload]


def bundle(
    *buckets: str, framework: FrameworkName = "chalice", work: dict[str, Any] | None = None, **resources: Any
) -> Bundle:
    alias = resource("Lambda::Alias", FunctionName={"Ref": "Work"}, Name="live", FunctionVersion="1")
    template = {"Resources": {"Work": function(**(work or {})), "WorkLive": alias, **resources}}
    wanted = tuple(BucketNotification(bucket, "Work", ("s3:ObjectCreated:*",), "", "") for bucket in buckets)
    return Bundle(APP, framework, "3.12", "x86_64", template, "bundles/x", (), "Work", False, "/", wanted)


def trigger(source: Any, **more: Any) -> dict[str, Any]:
    return resource("Lambda::EventSourceMapping", FunctionName={"Ref": "WorkLive"}, EventSourceArn=source, **more)


def check(made: Bundle, ask: Callable[[str], Any] = client) -> list[str]:
    warnings: list[str] = []
    LookUps(Existing(ask), SURROUNDINGS.place).check(made, warnings.append)
    return warnings


def refused(made: Bundle) -> AppError:
    with pytest.raises(AppError) as caught:
        check(made)
    return caught.value


def queue(name: str = "orders", *, visibility: int = 30, receives: int | None = None) -> str:
    attributes = {"VisibilityTimeout": str(visibility)}
    if receives is not None:
        url = client("sqs").create_queue(QueueName=f"{name}-dead")["QueueUrl"]
        found = client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
        policy = {"deadLetterTargetArn": found["QueueArn"], "maxReceiveCount": receives}
        attributes["RedrivePolicy"] = json.dumps(policy)
    return str(client("sqs").create_queue(QueueName=name, Attributes=attributes)["QueueUrl"])


# --- queues ---


def test_a_queue_that_does_not_exist_is_named_in_the_words_of_the_framework() -> None:
    error = refused(bundle(Jobs=trigger(ORDERS)))
    assert error.code is Code.BAD_CONFIG
    assert f"@app.on_sqs_message (EventSourceArn of Jobs): queue arn:aws:sqs:us-east-1:{ACCOUNT}:orders" in str(error)
    assert "does not exist" in error.message
    assert error.hint.endswith("Nothing was changed.")


@pytest.mark.parametrize(("framework", "setting"), [("chalice", "lambda_timeout"), ("zappa", "timeout_seconds")])
def test_a_queue_that_hides_messages_for_less_than_the_function_runs_is_refused(
    framework: FrameworkName, setting: str
) -> None:
    queue(visibility=30)
    error = refused(bundle(framework=framework, work={"Timeout": 60}, Jobs=trigger(ORDERS)))
    assert error.code is Code.BAD_CONFIG
    assert "queue orders hides messages for 30 s" in error.message
    assert f"may run for 60 s ({setting})" in error.message


@pytest.mark.parametrize(("visibility", "told"), [(60, True), (359, True), (360, False), (900, False)])
def test_less_than_six_times_the_timeout_is_advised_against(visibility: int, told: bool) -> None:
    queue(visibility=visibility)
    warnings = check(bundle(work={"Timeout": 60}, Jobs=trigger(ORDERS)))
    assert [("360 s" in one) for one in warnings] == ([True] if told else [])


@pytest.mark.parametrize(("receives", "told"), [(None, False), (1, True), (4, True), (5, False)])
def test_fewer_than_five_receives_are_advised_against(receives: int | None, told: bool) -> None:
    queue(visibility=30, receives=receives)
    warnings = check(bundle(Jobs=trigger(ORDERS)))  # 3 s, Lambda's default
    assert [f"after {receives} receives" in one for one in warnings] == ([True] if told else [])


def test_a_mapping_that_names_its_function_itself_has_its_timeout() -> None:
    queue(visibility=30)
    jobs = resource("Lambda::EventSourceMapping", FunctionName={"Ref": "Work"}, EventSourceArn=ORDERS)
    assert "may run for 60 s" in refused(bundle(work={"Timeout": 60}, Jobs=jobs)).message


def test_a_target_of_failures_needs_no_visibility() -> None:
    queue(visibility=1)
    arn = f"arn:aws:sqs:us-east-1:{ACCOUNT}:orders"
    assert check(bundle(work={"Timeout": 60, "DeadLetterConfig": {"TargetArn": arn}})) == []


# --- the others ---


def made() -> tuple[str, str]:
    """Everything that `needs` names; a subnet and a security group."""
    queue(visibility=900)
    client("sns").create_topic(Name="news")
    client("kinesis").create_stream(StreamName="clicks", ShardCount=1)
    client("s3").create_bucket(Bucket="pictures")
    network = client("ec2").describe_subnets()["Subnets"][0]["SubnetId"]
    return network, client("ec2").describe_security_groups()["SecurityGroups"][0]["GroupId"]


def needs(subnet: str, group: str, framework: FrameworkName = "chalice", stream: str = CHANGES) -> Bundle:
    network = {"SubnetIds": [subnet], "SecurityGroupIds": [group]}
    failures = {"OnFailure": {"Destination": f"arn:aws:sqs:us-east-1:{ACCOUNT}:orders"}}
    return bundle(
        "pictures",
        framework=framework,
        work={"VpcConfig": network, "DeadLetterConfig": {"TargetArn": NEWS}},
        Jobs=trigger(ORDERS),
        Clicks=trigger(CLICKS, DestinationConfig=failures),
        Changes=trigger(stream),
        News=resource("SNS::Subscription", TopicArn=NEWS, Protocol="lambda", Endpoint={"Ref": "WorkLive"}),
        Later=resource("Lambda::EventInvokeConfig", FunctionName={"Ref": "Work"}, DestinationConfig=failures),
    )


def table_stream() -> str:
    table = client("dynamodb").create_table(
        TableName="t",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"},
    )["TableDescription"]
    return str(table["LatestStreamArn"])


def test_what_exists_is_silent() -> None:
    subnet, group = made()
    assert check(needs(subnet, group, stream=table_stream())) == []


def test_a_stream_that_a_table_had_before_is_warned_of() -> None:
    now = table_stream()
    (warning,) = check(bundle(Changes=trigger(CHANGES)))
    assert f"another stream now than {CHANGES}: {now}" in warning


@pytest.mark.parametrize(
    ("framework", "settings"),
    [
        ("chalice", ["@app.on_sqs_message", "@app.on_sns_message", "@app.on_kinesis_record", "@app.on_dynamodb_record",
                     "@app.on_s3_event", "subnet_ids", "security_group_ids"]),
        ("zappa", ["event_source.arn", "vpc_config.SubnetIds", "vpc_config.SecurityGroupIds", "dead_letter_arn"]),
    ],
)  # fmt: skip
def test_whatever_does_not_exist_is_told_at_once(framework: FrameworkName, settings: list[str]) -> None:
    error = refused(needs("subnet-0a1b2c3d", "sg-0a1b2c3d", framework))
    assert error.code is Code.BAD_CONFIG
    for what in (":orders", NEWS, CLICKS, CHANGES, "pictures", "subnet-0a1b2c3d", "sg-0a1b2c3d", *settings):
        assert what in error.message
    # Eleven lines would be cut: each use has its own, and the same one twice has none.
    assert len(error.message.splitlines()) <= 12


def test_a_missing_bucket_alone_keeps_its_code() -> None:
    error = refused(bundle("pictures"))
    assert error.code is Code.BUCKET_NOTIFICATION_FAILED
    assert "bucket pictures does not exist" in error.message


def test_a_trigger_in_another_region_is_refused() -> None:
    error = refused(bundle(Jobs=trigger(f"arn:aws:sqs:eu-west-1:{ACCOUNT}:orders")))
    assert "is in another region" in error.message
    topic = resource("SNS::Subscription", TopicArn=NEWS.replace("us-east-1", "eu-west-1"), Protocol="lambda")
    assert check(bundle(News=topic)) == []


def test_what_the_template_makes_itself_is_not_looked_up() -> None:
    own = {"Fn::GetAtt": ["Queue", "Arn"]}
    assert check(bundle(Queue=resource("SQS::Queue"), Jobs=trigger(own)), ask=forbidden) == []


# --- look-ups that do not succeed ---


def forbidden(_: str) -> Any:
    raise AssertionError("nothing should be asked")


class Failing:
    """A service that answers every call with the same error."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        def call(**_: Any) -> Any:
            raise self._error

        return call


def error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": f"{code}, it says"}}, "Describe")


@pytest.mark.parametrize(
    "trouble", [error("AccessDenied"), error("Throttling"), error("InternalError"), OSError("no route"), KeyError("x")]
)
def test_a_look_up_that_is_denied_or_fails_warns_and_refuses_nothing(trouble: Exception) -> None:
    warnings = check(needs("subnet-0a1b2c3d", "sg-0a1b2c3d"), ask=lambda _: Failing(trouble))
    assert len(set(warnings)) == 7  # the queue is named three times, and the topic twice
    assert all("could not be looked up" in one for one in warnings)


def test_what_another_account_does_not_show_is_not_refused() -> None:
    (warning,) = check(bundle(Jobs=trigger("arn:aws:sqs:us-east-1:999988887777:orders")))
    assert "another account" in warning

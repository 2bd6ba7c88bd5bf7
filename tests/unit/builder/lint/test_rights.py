from typing import Any

import pytest

from builder.lint.rights import findings, warnings

QUEUE = "arn:aws:sqs:us-east-1:123456789012:orders"
SQS = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
NETWORK = ["ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DeleteNetworkInterface"]


def allow(*actions: str) -> dict[str, Any]:
    return {"PolicyDocument": {"Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": "*"}]}}


def told(*policies: Any, function: dict[str, Any] | None = None, source: Any = None, **role: Any) -> list[str]:
    resources: dict[str, Any] = {
        "Role": {"Type": "AWS::IAM::Role", "Properties": {"Policies": list(policies), **role}},
        "App": {
            "Type": "AWS::Lambda::Function",
            "Properties": {"Role": {"Fn::GetAtt": ["Role", "Arn"]}, **(function or {})},
        },
    }
    if source:
        resources["Source"] = {
            "Type": "AWS::Lambda::EventSourceMapping",
            "Properties": {"FunctionName": {"Ref": "App"}, "EventSourceArn": source},
        }
    return [f"{one.resource} {'.'.join(one.path)}: {one.reason}" for one in findings({"Resources": resources})]


def test_a_queue_needs_what_the_poller_calls() -> None:
    assert told(allow("logs:*"), source=QUEUE) == [
        "Source EventSourceArn: the role of the function does not allow "
        "sqs:ReceiveMessage, sqs:DeleteMessage, sqs:GetQueueAttributes"
    ]
    assert told(allow("sqs:ReceiveMessage", "SQS:Delete*"), source=QUEUE)[0].endswith("allow sqs:GetQueueAttributes")


@pytest.mark.parametrize("actions", [SQS, ["sqs:*"], ["*"], ["sqs:?e*"]])
def test_wildcards_allow_what_they_match(actions: list[str]) -> None:
    assert told(allow(*actions), source=QUEUE) == []


@pytest.mark.parametrize(
    ("service", "right"), [("kinesis", "kinesis:GetShardIterator"), ("dynamodb", "dynamodb:DescribeStream")]
)
def test_streams_need_theirs(service: str, right: str) -> None:
    arn = {"Fn::Sub": f"arn:${{AWS::Partition}}:{service}:us-east-1:123456789012:stream/clicks"}
    assert right in told(source=arn)[0]


def test_a_network_and_dead_letters_need_rights() -> None:
    network = {"VpcConfig": {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}}
    assert "ec2:CreateNetworkInterface" in told(function=network)[0]
    assert told(allow(*NETWORK), function=network) == []
    assert told(function={"VpcConfig": {"SubnetIds": []}}) == []
    letters = {"DeadLetterConfig": {"TargetArn": "arn:aws:sns:us-east-1:123456789012:failed"}}
    assert told(function=letters) == ["App DeadLetterConfig: the role of the function does not allow sns:Publish"]


def test_managed_policies_count_and_unknown_ones_may_allow_anything() -> None:
    managed = "arn:aws:iam::aws:policy/service-role/AWSLambdaSQSQueueExecutionRole"
    assert told(source=QUEUE, ManagedPolicyArns=[managed]) == []
    assert told(source=QUEUE, ManagedPolicyArns=["arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"])
    assert told(source=QUEUE, ManagedPolicyArns=["arn:aws:iam::123456789012:policy/own"]) == []


def test_a_role_elsewhere_is_not_judged() -> None:
    assert told(source=QUEUE, function={"Role": "arn:aws:iam::123456789012:role/auto-lambda/shared/one"}) == []


def test_a_policy_of_its_own_counts() -> None:
    policy = {"Type": "AWS::IAM::Policy", "Properties": {"Roles": [{"Ref": "Role"}], **allow(*SQS)}}
    resources = {
        "Role": {"Type": "AWS::IAM::Role", "Properties": {}},
        "Policy": policy,
        "App": {"Type": "AWS::Lambda::Function", "Properties": {"Role": {"Fn::GetAtt": "Role.Arn"}}},
        "Source": {
            "Type": "AWS::Lambda::EventSourceMapping",
            "Properties": {"FunctionName": {"Fn::Sub": "${App.Arn}"}, "EventSourceArn": QUEUE},
        },
    }
    assert list(findings({"Resources": resources})) == []
    del resources["Policy"]
    assert len(list(findings({"Resources": resources}))) == 1


@pytest.mark.parametrize(
    ("actions", "silent"),
    [
        (["s3:GetObject"], True), (["logs:PutLogEvents"], True), (["logs:CreateLogStream", "logs:Put*"], False),
        (["logs:*"], False), (["*"], False),
    ],
)  # fmt: skip
def test_a_function_that_may_not_log_is_warned_about(actions: list[str], silent: bool) -> None:
    role = {"Type": "AWS::IAM::Role", "Properties": {"Policies": [allow(*actions)]}}
    function = {"Type": "AWS::Lambda::Function", "Properties": {"Role": {"Fn::GetAtt": ["Role", "Arn"]}}}
    said = warnings({"Resources": {"Role": role, "App": function}})
    assert [one.startswith("App: the policy lacks") for one in said] == ([True] if silent else [])

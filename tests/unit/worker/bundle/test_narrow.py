"""Rights that frameworks ask for on everything become rights on what is the app's own."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from drafts import resource
from hypothesis import given
from hypothesis import strategies as st

from auto_lambda.keys import App
from auto_lambda.model import Template
from auto_lambda.namespace import Place
from worker.bundle.narrow import narrowed

HERE = Place("aws", "eu-central-1", "123456789012")
SHOP = App("prod", "shop")
JOBS = "arn:aws:sqs:eu-central-1:123456789012:jobs"


def template(*statements: Any) -> Template:
    policies = [{"PolicyName": "it", "PolicyDocument": {"Version": "2012-10-17", "Statement": list(statements)}}]
    return {"Resources": {"Role": resource("IAM::Role", Policies=policies)}}


def statements(made: Template) -> list[Any]:
    (policy,) = made["Resources"]["Role"]["Properties"]["Policies"]
    return list(policy["PolicyDocument"]["Statement"])


def allow(action: Any, on: Any, **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": on, **more}


def test_logs_of_every_function_become_those_of_the_apps_functions() -> None:
    (found,) = statements(narrowed(template(allow(["logs:PutLogEvents"], "arn:*:logs:*:*:*", Sid="x")), SHOP, HERE))
    assert found["Action"] == ["logs:PutLogEvents"]
    assert all(":log-group:/aws/lambda/" in one and "shop-prod" in one for one in found["Resource"])
    assert "Sid" not in found


def test_every_queue_becomes_the_apps_event_sources_and_none_of_them_nothing() -> None:
    made = template(allow(["sqs:ReceiveMessage", "s3:GetObject"], "*"))
    assert statements(narrowed(made, SHOP, HERE)) == [allow(["s3:GetObject"], "*")]
    made["Resources"]["Source"] = resource("Lambda::EventSourceMapping", EventSourceArn=JOBS)
    assert statements(narrowed(made, SHOP, HERE)) == [
        allow(["s3:GetObject"], "*"), allow(["sqs:ReceiveMessage"], [JOBS]),
    ]  # fmt: skip


def test_each_service_gets_its_own_event_sources() -> None:
    made = template(allow(["sqs:ReceiveMessage", "kinesis:GetRecords", "dynamodb:GetRecords"], "*"))
    stream = {"Fn::Sub": "arn:aws:kinesis:${AWS::Region}:${AWS::AccountId}:stream/clicks"}
    made["Resources"] |= {
        "Jobs": resource("SQS::Queue"),
        "One": resource("Lambda::EventSourceMapping", EventSourceArn={"Fn::GetAtt": ["Jobs", "Arn"]}),
        "Two": resource("Lambda::EventSourceMapping", EventSourceArn=stream),
        "Odd": resource("Lambda::EventSourceMapping", EventSourceArn={"Fn::Select": [0, []]}),
    }
    assert statements(narrowed(made, SHOP, HERE)) == [
        allow(["sqs:ReceiveMessage"], [{"Fn::GetAtt": ["Jobs", "Arn"]}]), allow(["kinesis:GetRecords"], [stream]),
    ]  # fmt: skip


def test_every_connection_becomes_those_of_the_apps_sockets() -> None:
    made = template(allow("execute-api:ManageConnections", "arn:*:execute-api:*:*:*/@connections/*"))
    made["Resources"]["Sockets"] = resource("ApiGatewayV2::Api")
    ((_, resource_),) = [(one["Action"], one["Resource"]) for one in statements(narrowed(made, SHOP, HERE))]
    assert resource_ == [{"Fn::Sub": "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${Sockets}/*"}]


def test_metrics_are_bound_to_the_apps_namespace_and_networks_to_lambda() -> None:
    made = narrowed(template(allow(["cloudwatch:PutMetricData", "ec2:CreateNetworkInterface"], "*")), SHOP, HERE)
    metrics, network = statements(made)
    assert "auto-lambda/prod/shop" in str(metrics["Condition"])
    assert "lambda:SourceFunctionArn" in str(network["Condition"])


@pytest.mark.parametrize(
    "statement",
    [
        allow("s3:GetObject", "*"),
        allow("sqs:ReceiveMessage", JOBS),
        allow("logs:PutLogEvents", "*", Condition={"StringEquals": {"a": "b"}}),
        {"Effect": "Deny", "Action": "logs:PutLogEvents", "Resource": "*"},
        {"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"},
        "nonsense",
    ],
)
def test_what_the_uploader_wrote_stays_as_it_is(statement: Any) -> None:
    assert statements(narrowed(template(statement), SHOP, HERE)) == [statement]


def test_a_statement_that_names_resources_too_keeps_them() -> None:
    made = narrowed(template(allow(["sqs:ReceiveMessage"], ["*", JOBS])), SHOP, HERE)
    assert statements(made) == [allow(["sqs:ReceiveMessage"], [JOBS])]


ANYTHING: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.integers() | st.sampled_from(["Allow", "*", "logs:PutLogEvents", "sqs:ReceiveMessage"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["Effect", "Action", "Resource", "Sid", "Condition"]), inner)
    ),
    max_leaves=8,
)


@given(ANYTHING)
def test_narrowing_reads_anything_changes_no_input_and_is_done_once(statement: Any) -> None:
    made = template(statement)
    before = copy.deepcopy(made)
    once = narrowed(made, SHOP, HERE)
    assert made == before
    assert narrowed(once, SHOP, HERE) == once

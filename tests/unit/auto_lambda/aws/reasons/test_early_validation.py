"""The failed validations of a change set, asked for as botocore's own model of the API wants it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from auto_lambda.aws.reasons.early_validation import NAME_TAKEN, FailedValidation, findings

CHANGE_SET = "arn:aws:cloudformation:eu-west-1:111122223333:changeSet/al-0123456789abcdef-changes/1"
ASKED = {"StackName": "al-shop-dev", "ChangeSetName": CHANGE_SET, "Filters": {"FailedEvents": True}}
TAKEN = {
    "EventType": "VALIDATION_ERROR", "LogicalResourceId": "Main", "ResourceType": "AWS::Lambda::Function",
    "ValidationName": NAME_TAKEN, "ValidationStatus": "FAILED", "ValidationFailureMode": "FAIL",
    "ValidationStatusReason": "Resource with identifier 'shop-dev' already exists.",
}  # fmt: skip


@pytest.fixture
def client() -> Any:
    return boto3.client(
        "cloudformation", region_name="eu-west-1", aws_access_key_id="testing", aws_secret_access_key="testing"
    )


@pytest.fixture
def stub(client: Any) -> Iterator[Stubber]:
    with Stubber(client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def test_every_page_is_read(client: Any, stub: Stubber) -> None:
    other = {**TAKEN, "LogicalResourceId": "Logs", "ResourceType": "AWS::Logs::LogGroup"}
    stub.add_response("describe_events", {"OperationEvents": [TAKEN], "NextToken": "2"}, ASKED)
    stub.add_response("describe_events", {"OperationEvents": [other]}, {**ASKED, "NextToken": "2"})
    found = findings(client, "al-shop-dev", CHANGE_SET)
    assert [(one.resource, one.kind) for one in found.all] == [
        ("Main", "AWS::Lambda::Function"),
        ("Logs", "AWS::Logs::LogGroup"),
    ]
    assert found.silent is None


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (TAKEN, FailedValidation("Main", TAKEN["ValidationStatusReason"], NAME_TAKEN, "AWS::Lambda::Function")),
        ({**TAKEN, "ValidationFailureMode": "WARN"}, None),
        ({"EventType": "STACK_EVENT", "ResourceStatusReason": "User Initiated"}, None),
        ({"EventType": "VALIDATION_ERROR", "LogicalResourceId": "Main"}, None),
        (
            {"EventType": "HOOK_INVOCATION_ERROR", "HookFailureMode": "FAIL", "HookStatusReason": "no public URLs"},
            FailedValidation("the template", "no public URLs"),
        ),
        ({"EventType": "HOOK_INVOCATION_ERROR", "HookFailureMode": "WARN", "HookStatusReason": "x"}, None),
    ],
)
def test_only_what_fails_the_change_set_is_told(
    client: Any, stub: Stubber, event: dict[str, str], expected: FailedValidation | None
) -> None:
    stub.add_response("describe_events", {"OperationEvents": [event]}, ASKED)
    assert findings(client, "al-shop-dev", CHANGE_SET).all == ((expected,) if expected else ())


def test_a_refusal_is_told_and_raises_nothing(client: Any, stub: Stubber) -> None:
    stub.add_client_error("describe_events", "AccessDenied", "not authorized", expected_params=ASKED)
    assert "not authorized" in str(findings(client, "al-shop-dev", CHANGE_SET).silent)

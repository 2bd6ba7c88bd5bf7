from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from auto_lambda.aws.cloudformation import Plan, Stack, StackFailed
from auto_lambda_cli.pipeline.change_sets import Change, ReviewedStacks

QUEUE = {"Type": "AWS::SQS::Queue"}


def plan(name: str, **resources: Any) -> Plan:
    return Plan(name, body=json.dumps({"Resources": resources}))


@pytest.fixture
def stacks(aws_client: Callable[[str], Any]) -> ReviewedStacks:
    return ReviewedStacks(aws_client("cloudformation"))


def test_a_review_says_what_would_change_and_changes_nothing(stacks: ReviewedStacks) -> None:
    stacks.deploy(plan("reviewed", Jobs=QUEUE, Old=QUEUE))
    wanted = plan("reviewed", Jobs=QUEUE, New=QUEUE)
    assert set(stacks.review(wanted)) == {
        Change("Add", "New", "AWS::SQS::Queue"),
        Change("Remove", "Old", "AWS::SQS::Queue"),
    }
    assert set(stacks.resources("reviewed")) == {"Jobs", "Old"}
    assert stacks.deploy(wanted).changed
    assert stacks.review(wanted) == ()
    stacks.delete("reviewed")


def test_what_objects_to_a_change_prevents_it(stacks: ReviewedStacks) -> None:
    def object_to(_: str) -> None:
        raise PermissionError

    stacks.deploy(plan("objected", Jobs=QUEUE))
    with pytest.raises(PermissionError):
        stacks.deploy(plan("objected", New=QUEUE), inspect=object_to)
    assert set(stacks.resources("objected")) == {"Jobs"}
    assert stacks.deploy(plan("objected", New=QUEUE), inspect=lambda _: None).changed
    stacks.delete("objected")


def test_what_objects_to_a_creation_leaves_no_stack(stacks: ReviewedStacks) -> None:
    assert stacks.review(plan("not-there", Jobs=QUEUE)) == (Change("Add", "Jobs", "AWS::SQS::Queue"),)
    assert stacks.describe("not-there") is None


def test_an_operation_in_progress_is_waited_for(stacks: ReviewedStacks, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = [Stack("busy", "id", status, {}, {}) for status in ("UPDATE_IN_PROGRESS", "UPDATE_COMPLETE")]
    monkeypatch.setattr(stacks, "describe", lambda _: seen.pop(0))
    monkeypatch.setattr("auto_lambda_cli.pipeline.change_sets.time.sleep", lambda _: None)
    said: list[str] = []
    found = stacks.ended("busy", said.append)
    assert (found and found.status, said) == ("UPDATE_COMPLETE", ["busy: UPDATE_IN_PROGRESS, waiting"])


def test_a_template_in_yaml_is_returned_as_it_was_given(stacks: ReviewedStacks) -> None:
    text = "# why\nResources:\n  Jobs: {Type: 'AWS::SQS::Queue'}\n"
    stacks.deploy(Plan("as-given", body=text))
    assert stacks.template("as-given") == text
    stacks.delete("as-given")


def test_a_plan_that_is_refused_is_refused_in_the_review(stacks: ReviewedStacks) -> None:
    stacks.deploy(plan("refused", Jobs=QUEUE))
    with pytest.raises(StackFailed):
        stacks.review(plan("refused", Jobs={"Type": "AWS::No::Such"}))
    stacks.delete("refused")


@pytest.mark.parametrize(
    ("told", "replacement"), [("True", "True"), ("False", ""), (None, ""), ("Conditional", "Conditional")]
)
def test_a_change_as_cloudformation_tells_it(told: str | None, replacement: str) -> None:
    change = {"Action": "Modify", "LogicalResourceId": "Q", "ResourceType": "AWS::SQS::Queue", "Replacement": told}
    assert Change.of(change) == Change("Modify", "Q", "AWS::SQS::Queue", replacement)

"""What the uploader reads when CloudFormation refuses a stack before anything is changed."""

from __future__ import annotations

import pytest

from auto_lambda.aws.cloudformation import StackFailed
from auto_lambda.aws.reasons.early_validation import NAME_TAKEN, FailedValidation
from auto_lambda.errors import AppError, Code
from auto_lambda.keys import App
from worker.deploy.stack_errors import stack_failures

REASON = "Resource with identifier 'shop-dev' already exists."


@pytest.mark.parametrize(
    ("kind", "hint"),
    [
        ("AWS::Lambda::Function", "zappa undeploy"),
        ("AWS::Logs::LogGroup", "delete it (its lines are lost)"),
        ("AWS::DynamoDB::Table", "another name"),
        (None, "another name"),
    ],
)
def test_a_name_that_is_taken_is_explained_by_what_has_it(kind: str | None, hint: str) -> None:
    found = (FailedValidation("Main", REASON, NAME_TAKEN, kind),)
    with pytest.raises(AppError) as caught, stack_failures(App("dev", "shop")):
        raise StackFailed("al-shop-dev", "Main", REASON, findings=found)
    assert caught.value.code is Code.STACK_FAILED
    assert f"Main: {REASON}" in caught.value.message
    assert hint in caught.value.hint
    assert caught.value.hint.endswith("Nothing was changed.")


def test_an_exhausted_quota_stays_ours() -> None:
    found = (FailedValidation("Api", "the limit is exceeded", "SERVICE_QUOTA_VALIDATION"),)
    with pytest.raises(StackFailed), stack_failures(App("dev", "shop")):
        raise StackFailed("al-shop-dev", "Api", "the limit is exceeded", findings=found)

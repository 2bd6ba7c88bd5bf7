"""Turns a failed stack into an error for the uploader, unless the cause is on our side."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from auto_lambda.aws.cloudformation import StackFailed
from auto_lambda.aws.reasons.early_validation import NAME_TAKEN
from auto_lambda.errors import AppError, Code
from auto_lambda.keys import App

_NOTHING_LIVE = frozenset({"CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED"})
_TAKEN_ANY = (
    "Something of that name exists in AWS and is not this app's: remove it there, or give the app's another name."
)
_TAKEN = {
    "AWS::Lambda::Function": "A function of that name exists in AWS and is not this app's, perhaps because zappa has "
    "deployed it: remove it (`zappa undeploy`), or drop the zip under another name.",
    "AWS::Logs::LogGroup": "A log group of that name exists in AWS, perhaps that of an earlier function: delete it "
    "(its lines are lost), or drop the zip under another name.",
}


@contextmanager
def stack_failures(app: App, stack: str | None = None, *, live: bool = True) -> Iterator[None]:
    """Turn a failed stack into an error for the uploader, unless the cause is on our side.

    Args:
        app: whose.
        stack: its name, if it is not the app's own.
        live: whether anything was live before.
    """
    try:
        yield
    except StackFailed as failure:
        if failure.passing:
            raise
        where = f"{failure.resource}: " if failure.resource else ""
        raise AppError(
            Code.STACK_FAILED,
            f"CloudFormation could not create or update the stack {stack or app.stack}: {where}{failure.reason}",
            hint=_hint(failure, live=live),
        ) from failure


def _hint(failure: StackFailed, *, live: bool) -> str:
    which = failure.resource or "what the message names"
    if taken := next((one for one in failure.findings if one.check == NAME_TAKEN), None):
        return f"{_TAKEN.get(taken.kind or '', _TAKEN_ANY)} Nothing was changed."
    match failure.status:
        case "UPDATE_ROLLBACK_FAILED":
            return (
                f"AWS could not roll back either. Fix {which} in AWS, then drop the zip again: the rollback is "
                f"continued first. To leave {which} as it is, whoever runs the pipeline can run: aws cloudformation "
                f"continue-update-rollback --stack-name {failure.stack} --resources-to-skip {which}"
            )
        case "DELETE_FAILED":
            return f"Remove whatever holds {which} in AWS, then drop the zip again: the deletion is tried again first."
        case status if status in _NOTHING_LIVE or not live:
            return (
                "Correct what the message names in the app's settings. Nothing was live before; the next drop deletes "
                "what is left of this try."
            )
    return "Correct what the message names in the app's settings. What was live before still is."

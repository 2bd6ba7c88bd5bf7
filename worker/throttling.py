"""Tells whether AWS refused a request only because it was asked for too much at once."""

from __future__ import annotations

from botocore.exceptions import ClientError

from auto_lambda.aws.cloudformation import StackFailed
from auto_lambda.aws.reasons.stack_reasons import THROTTLES


def is_throttled(error: BaseException) -> bool:
    """Tell whether the same request succeeds later. The client has tried it a few times already."""
    if isinstance(error, StackFailed):
        return error.throttled
    return isinstance(error, ClientError) and error.response.get("Error", {}).get("Code") in THROTTLES

"""STS, as far as we use it. The only module that calls it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_sts import STSClient


def whoami(client: STSClient) -> str:
    """Return the ARN of the caller. Exceptions are botocore's."""
    return client.get_caller_identity()["Arn"]

"""Where every AWS client is made, with one retry policy and one place for the endpoint."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import boto3


def make_session(region: str | None = None) -> boto3.Session:
    """A session on the environment's own credentials; ``AWS_ENDPOINT_URL`` is honoured by boto3 itself."""
    import boto3

    return boto3.Session(region_name=region)


def client(
    session: boto3.Session,
    service: str,
    *,
    read_timeout: float = 60,
    connections: int = 10,
    endpoint: str | None = None,
    attempts: int = 5,
) -> Any:
    """A client that retries throttling and connection errors by itself (botocore's ``standard`` mode).

    Args:
        session: from `make_session`.
        service: boto3's name of the service.
        read_timeout: seconds without a byte before a call counts as failed; above the long-polling time for SQS.
        connections: pool size, at least the number of threads that share the client.
        endpoint: where to go instead of what the environment says.
        attempts: of each call, all told.
    """
    from botocore.config import Config

    config = Config(
        retries={"mode": "standard", "total_max_attempts": attempts},
        connect_timeout=5,
        read_timeout=read_timeout,
        max_pool_connections=connections,
        user_agent_extra="auto-lambda",
        # An emulator on a loopback address has no host name per bucket.
        s3={"addressing_style": "path"} if endpoint or os.environ.get("AWS_ENDPOINT_URL") else None,
    )
    return session.client(service, config=config, endpoint_url=endpoint)  # type: ignore[call-overload]

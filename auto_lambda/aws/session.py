"""Where every AWS client is made, with one retry policy and one place for the endpoint."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import boto3

    from auto_lambda.aws.lean import CoreSession


def make_session(region: str | None = None) -> boto3.Session:
    """Make a session with the environment's credentials.

    boto3 reads AWS_ENDPOINT_URL itself, but only AWS_DEFAULT_REGION; AWS_REGION counts here as it does for other SDKs.
    """
    import boto3

    return boto3.Session(region_name=region or os.environ.get("AWS_REGION") or None)


def client(
    session: boto3.Session | CoreSession,
    service: str,
    *,
    read_timeout: float = 60,
    connections: int = 10,
    endpoint: str | None = None,
    attempts: int = 5,
    part: str = "",
) -> Any:
    """Make a client that retries throttling and connection errors (botocore's ``standard`` mode).

    Args:
        session: from `make_session`.
        service: boto3's name of the service.
        read_timeout: seconds without data until a call fails; for SQS, longer than a long poll.
        connections: pool size, at least the number of threads that share the client.
        endpoint: used instead of the environment's.
        attempts: maximum number of attempts of each call, the first included.
        part: of the program, for the user agent, by which the account's trail tells its calls apart.
    """
    from botocore.config import Config

    config = Config(
        retries={"mode": "standard", "total_max_attempts": attempts},
        connect_timeout=5,
        read_timeout=read_timeout,
        max_pool_connections=connections,
        user_agent_extra=f"auto-lambda {part}".strip(),
        # An emulator on a loopback address has no host names for buckets.
        s3={"addressing_style": "path"} if endpoint or os.environ.get("AWS_ENDPOINT_URL") else None,
    )
    return session.client(service, config=config, endpoint_url=endpoint)  # type: ignore[call-overload]

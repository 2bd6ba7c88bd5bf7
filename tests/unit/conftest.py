"""What the unit tests of several packages share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
import structlog
from botocore.config import Config
from hypothesis import settings

from auto_lambda_cli.local_stack.embedded import EmbeddedAws
from auto_lambda_cli.running_stacks import REGION

# How long an example takes says something about the machine only.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """A test that configures logging does so for a stream of its own, which is closed after it."""
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def embedded_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedAws]:
    """One embedded AWS for all tests that need one; each makes what it needs under names of its own."""
    with EmbeddedAws.start(tmp_path_factory.mktemp("aws")) as aws:
        yield aws


@pytest.fixture(scope="session")
def aws_client(embedded_aws: EmbeddedAws) -> Callable[[str], Any]:
    """``aws_client("s3")``: a boto3 client of the embedded AWS."""

    def client(service: str) -> Any:
        return boto3.client(  # type: ignore[call-overload]
            service,
            endpoint_url=embedded_aws.endpoint,
            region_name=REGION,
            aws_access_key_id="local",
            aws_secret_access_key="local",
            config=Config(s3={"addressing_style": "path"}),
        )

    return client

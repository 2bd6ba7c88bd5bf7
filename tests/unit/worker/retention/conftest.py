"""What the tests of retention share: an app on the embedded AWS, deployed and recorded as a worker does it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from kept_releases import History

from auto_lambda.aws.cloudformation import Stacks
from auto_lambda.keys import App
from auto_lambda_cli.local_stack.embedded import EmbeddedAws


@pytest.fixture
def history(
    aws_client: Callable[[str], Any], embedded_aws: EmbeddedAws, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[History]:
    name = request.node.name.removeprefix("test_").split("[")[0].replace("_", "-")[:36].strip("-")
    history = History(aws_client, embedded_aws.endpoint, tmp_path, App("dev", name))
    yield history
    Stacks(history.world.cloudformation).delete(history.app.stack)

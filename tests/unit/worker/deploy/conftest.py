"""What the tests of deploying share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from deployments import World

from auto_lambda.aws.cloudformation import Stacks
from auto_lambda.keys import App
from auto_lambda_cli.local_stack.embedded import EmbeddedAws


@pytest.fixture
def world(
    aws_client: Callable[[str], Any], embedded_aws: EmbeddedAws, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[World]:
    name = request.node.name.removeprefix("test_").split("[")[0].replace("_", "-")[:40].strip("-")
    world = World(aws_client, embedded_aws.endpoint, tmp_path, App("dev", name))
    yield world
    Stacks(world.cloudformation).delete(world.app.stack)

"""A console of a pipeline that is in moto, on a real port."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from commands import BUCKET
from console import Page
from seen_pipeline import SeenPipeline

from auto_lambda_cli.console.context import ConsoleContext
from auto_lambda_cli.console.server import serving
from auto_lambda_cli.target import Target


@pytest.fixture
def page(pipeline: SeenPipeline) -> Iterator[Page]:
    with serving(ConsoleContext(Target(BUCKET, None), dict(os.environ))) as address:
        yield Page(address)

"""One stack for all end-to-end tests; what takes long is dropped at its start, so that it builds while others test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e_apps import APPS
from e2e_stack import MAX_UPLOAD_MB, Drop, LocalUp, Stack


@pytest.fixture(scope="session")
def local_up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalUp]:
    """The process of the shared stack."""
    up = LocalUp(
        tmp_path_factory.mktemp("stack"),
        AUTO_LAMBDA_SLOTS="2",
        AUTO_LAMBDA_MAX_UPLOAD_MB=str(MAX_UPLOAD_MB),
        AUTO_LAMBDA_CHECK_SECONDS="1",
    )
    try:
        yield up
    finally:
        up.end()


@pytest.fixture(scope="session")
def stack(local_up: LocalUp) -> Stack:
    """The shared stack, up."""
    return local_up.ready()


@pytest.fixture(scope="session")
def drops(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Drop]:
    """All apps of `e2e_apps`, dropped at once."""
    work: Path = tmp_path_factory.mktemp("apps")
    found: dict[str, Drop] = {}
    for app in APPS:
        folder = work / app.name
        folder.mkdir()
        found[app.name] = stack.drop(app.name, app.make(stack, folder))
    return found

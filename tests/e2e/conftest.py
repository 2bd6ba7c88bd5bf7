"""A stack with all apps for most end-to-end tests, an empty one for others; what takes long is dropped at its start.

Several processes run the tests: all that share a stack are for the same one, so that there is one of each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from e2e_apps import APPS, Dropped
from e2e_stack import MAX_UPLOAD_MB, Drop, LocalUp, Stack

_SHARED = ("local_up", "drops", "granted_stack")


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep together what shares a stack, and the tests of each other file."""
    ours = [item for item in items if isinstance(item, pytest.Function) and item.path.parent == Path(__file__).parent]
    shares = {item.path: name for name in _SHARED for item in ours if name in item.fixturenames}
    for item in ours:
        item.add_marker(pytest.mark.xdist_group(shares.get(item.path, item.path.name)))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Stop where xdist has not read the groups, as with a pytest too new for it: each process would build each app."""
    grouped = getattr(session.config.option, "loadgroup", False)
    if alone := [item.nodeid for item in session.items if grouped and "@" not in item.nodeid]:
        raise pytest.UsageError(f"{len(alone)} tests are in no group, {alone[0]} first")


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
def started(local_up: LocalUp) -> Stack:
    return local_up.ready()


@pytest.fixture(scope="session")
def granted_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack that checks rights."""
    up = LocalUp(tmp_path_factory.mktemp("grants"), "--app-rights", "granted")
    try:
        yield up.ready()
    finally:
        up.end()


class Drops(Mapping[str, Drop]):
    """The drops of all apps of `e2e_apps`; asking for one waits until its zip is made and dropped."""

    def __init__(self, dropped: dict[str, Future[Drop]]) -> None:
        self._dropped = dropped

    def __getitem__(self, name: str) -> Drop:
        return self._dropped[name].result(timeout=60)

    def __iter__(self) -> Iterator[str]:
        return iter(self._dropped)

    def __len__(self) -> int:
        return len(self._dropped)


@pytest.fixture(scope="session")
def drops(started: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drops]:
    """All apps of `e2e_apps`, on their way."""
    work: Path = tmp_path_factory.mktemp("apps")

    def drop(app: Dropped) -> Drop:
        folder = work / app.name
        folder.mkdir()
        return started.drop(app.name, app.make(started, folder))

    with ThreadPoolExecutor(2) as pool:
        yield Drops({app.name: pool.submit(drop, app) for app in APPS})


@pytest.fixture(scope="session")
def stack(started: Stack, drops: Drops) -> Stack:
    """The shared stack, up, and the long builds begun."""
    return started

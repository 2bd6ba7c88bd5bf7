"""What the tests of builds share."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from builders import descriptors


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    """Neither descriptors nor threads. What earlier tests left may be closed meanwhile, by the collector."""
    before, threads = descriptors(), set(threading.enumerate())
    yield
    assert descriptors() - before == set()
    assert {thread.name for thread in set(threading.enumerate()) - threads} == set()

"""Makes calls that only read at the same time, since each takes as long as the way to AWS and back."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_AT_ONCE = 8

T = TypeVar("T")
A = TypeVar("A")
B = TypeVar("B")


def at_once(calls: Iterable[Callable[[], T]]) -> list[T]:
    """Return what calls return, in their order; raise what the first of them raises that fails."""
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="reads") as pool:
        return [done.result() for done in [pool.submit(call) for call in calls]]


def both(one: Callable[[], A], other: Callable[[], B]) -> tuple[A, B]:
    """Return what two calls return."""
    with ThreadPoolExecutor(1, thread_name_prefix="reads") as pool:
        first = pool.submit(one)
        second = other()
        return first.result(), second

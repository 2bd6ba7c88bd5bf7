"""What is read ahead is read once, and there when it is needed."""

from __future__ import annotations

import threading

import pytest

from worker.ahead import Ahead


def test_it_is_read_while_something_else_is_done() -> None:
    go_on, read = threading.Event(), list[str]()

    def slowly() -> str:
        assert go_on.wait(10)
        read.append("once")
        return "it"

    ahead = Ahead(slowly)
    ahead.begin()
    assert read == []
    go_on.set()
    assert [ahead.result(), ahead.result(), *read] == ["it", "it", "once"]


def test_it_is_read_when_it_is_needed_if_nobody_has_begun() -> None:
    assert Ahead(lambda: 7).result() == 7


def test_what_fails_fails_where_it_is_needed() -> None:
    def fails() -> None:
        raise OSError("no S3")

    ahead = Ahead(fails)
    ahead.begin()
    with pytest.raises(OSError, match="no S3"):
        ahead.result()

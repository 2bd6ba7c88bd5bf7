"""The line for ``systemctl status``."""

from __future__ import annotations

import threading

from worker.consumer.status import StatusLine


def test_the_line_names_what_each_thread_is_doing() -> None:
    lines: list[str] = []
    status = StatusLine(lines.append)
    other_is_there, other_may_go = threading.Event(), threading.Event()

    def other() -> None:
        status.step("apps/prod/shop.zip", "deploy")
        other_is_there.set()
        assert other_may_go.wait(10)
        status.over()

    thread = threading.Thread(target=other)
    status.step("apps/blog.zip", "fetch")
    thread.start()
    assert other_is_there.wait(10)
    status.step("apps/blog.zip", "build")
    status.over()
    other_may_go.set()
    thread.join()
    assert lines == [
        "1 building: apps/blog fetch",
        "2 building: apps/blog fetch, apps/prod/shop deploy",
        "2 building: apps/blog build, apps/prod/shop deploy",
        "1 building: apps/prod/shop deploy",
        "waiting",
    ]


def test_who_did_nothing_has_nothing_to_end() -> None:
    lines: list[str] = []
    StatusLine(lines.append).over()
    assert lines == []

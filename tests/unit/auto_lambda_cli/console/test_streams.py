from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from botocore.exceptions import ClientError
from commands import BUCKET
from console import Page, eventually
from seen_pipeline import SeenPipeline

from auto_lambda import drops
from auto_lambda_cli.console.server import ConsoleServer
from auto_lambda_cli.console.streams import MOST, StreamEvent
from auto_lambda_cli.console.watching.app import AppWatch

APP = "api/apps/dev/shop/events"


def until(events: Iterator[tuple[str, Any]], name: str) -> Any:
    return next(data for found, data in events if found == name)


def test_an_app_is_told_when_it_changes_and_its_log_as_it_grows(page: Page, pipeline: SeenPipeline) -> None:
    def log(text: str) -> None:
        pipeline.s3.put_object(Bucket=BUCKET, Key="apps/dev/shop.log", Body=text.encode())

    version = pipeline.drop()
    pipeline.tell(status="building", step="fetch", upload={"version": version})
    log("== fetch\n")
    with page.stream(APP) as events:
        assert until(events, "app")["parts"]["receipt"]["value"]["step"] == "fetch"
        assert until(events, "log") == {"release": version, "text": "== fetch\n", "reset": True, "cut": 0}
        log("== fetch\n== build <img src=x onerror=alert(1)>\n")
        assert until(events, "log")["text"] == "== build <img src=x onerror=alert(1)>\n"
        pipeline.go_live(version)
        assert until(events, "app")["parts"]["state"]["value"]["live"]["release"] == version


def test_a_listener_that_leaves_frees_its_stream(page: Page, server: ConsoleServer, pipeline: SeenPipeline) -> None:
    pipeline.drop()
    for _ in range(3):
        with page.stream(APP) as events:
            next(events)
            assert server.streams.open == 1
        assert eventually(lambda: server.streams.open == 0)


def test_a_listener_that_leaves_in_the_middle_of_a_look_frees_its_thread(
    page: Page, server: ConsoleServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    looking, go_on, done = threading.Event(), threading.Event(), threading.Event()

    def look(_: AppWatch) -> Sequence[StreamEvent]:
        looking.set()
        go_on.wait(20)
        done.set()
        return ()

    monkeypatch.setattr(AppWatch, "look", look)
    with page.stream(APP):
        assert looking.wait(20)
    assert server.streams.open == 1  # until the call of AWS has ended
    go_on.set()
    assert done.wait(20)
    assert eventually(lambda: server.streams.open == 0)


def test_there_is_a_bound_on_streams(page: Page, server: ConsoleServer) -> None:
    server.streams.open = MOST
    answer = page.get(APP)
    assert (answer.status, answer.error["code"], answer.error["retry"]) == (503, "busy", True)
    server.streams.open = 0


def test_credentials_that_expire_in_the_middle_are_told_and_a_login_counts(
    page: Page, pipeline: SeenPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.drop()
    real = drops.latest
    monkeypatch.setattr("auto_lambda_cli.console.streams._AGAIN", 0.01)
    monkeypatch.setattr("auto_lambda_cli.console.watching.app._BUSY", 0.01)
    with page.stream(APP) as events:
        until(events, "app")

        def expired(*_: Any) -> Any:
            raise ClientError({"Error": {"Code": "ExpiredToken", "Message": "expired"}}, "GetObject")

        monkeypatch.setattr(drops, "latest", expired)
        error = until(events, "problem")["error"]
        assert error["code"] == "expired-credentials"
        assert "log in again" in error["hint"].lower()
        monkeypatch.setattr(drops, "latest", real)
        assert until(events, "fine") == {}
        pipeline.tell(status="building")
        assert until(events, "app")["parts"]["state"]["value"]["under_way"]["status"] == "building"


def test_a_console_that_ends_ends_its_streams(page: Page, server: ConsoleServer, pipeline: SeenPipeline) -> None:
    pipeline.drop()
    with page.stream(APP) as events:
        next(events)
        server.stop()
        assert list(events)[-1:] in ([], [("log", {"release": None, "text": "", "reset": True, "cut": 0})])
    assert server.streams.open == 0


def test_an_app_that_is_not_there_is_watched_until_it_is(page: Page, pipeline: SeenPipeline) -> None:
    with page.stream(APP) as events:
        assert until(events, "app")["parts"]["state"]["error"]["code"] == "no-such-app"
        pipeline.drop()
        assert until(events, "app")["parts"]["state"]["value"]["under_way"]["status"] == "queued"

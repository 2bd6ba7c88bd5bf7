"""The packed entrypoint as a process: what it serves, how it drains, and how it ends when it cannot serve."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import urllib3
from e2e_stack import until
from flex_task import Bucket, Running, packed, running, site_of, zipped

from auto_lambda.tools import ToolEnvironments
from entrypoint.failures import ExitStatus
from entrypoint.task import HEALTH_PATH, Artefact, Kind, TaskDescription

ASGI = """
import asyncio, json, os, sys
import click
async def app(scope, receive, send):
    if scope["path"] == "/slow":
        print("slow begins", flush=True)
        await asyncio.sleep(float(scope["query_string"]))
    if scope["path"] == "/boom":
        raise ValueError("as asked")
    answer = {"path": sys.path, "cwd": os.getcwd(), "click": click.__version__, "env": dict(os.environ),
              "scheme": scope["scheme"], "ours": sorted({one.partition(".")[0] for one in sys.modules}
                                                        & {"uvicorn", "h11", "a2wsgi", "entrypoint"})}
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": json.dumps(answer).encode()})
"""
WSGI = """
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [repr((environ["wsgi.url_scheme"], environ["REQUEST_METHOD"], environ["wsgi.input"].read())).encode()]
"""
HANDLER = """
import base64, os, time
def handler(event, context):
    path = event["rawPath"]
    if path == "/boom":
        raise ValueError("as asked")
    if path == "/die":
        os._exit(3)
    if path == "/slow":
        time.sleep(5)
    return {"statusCode": 201, "headers": {"X-Handler": os.environ["_HANDLER"]}, "cookies": ["a=1", "b=2"],
            "body": base64.b64encode(b"\\xff" + event.get("body", "").encode()).decode(), "isBase64Encoded": True}
"""
SOURCES: dict[Kind, str] = {"asgi": ASGI, "wsgi": WSGI, "lambda": HANDLER}


@pytest.fixture
def bucket() -> Iterator[Bucket]:
    bucket = Bucket()
    yield bucket
    bucket.shutdown()
    bucket.server_close()


def endpoint(bucket: Bucket) -> str:
    return f"http://127.0.0.1:{bucket.server_port}"


def a_task(bucket: Bucket, kind: Kind = "asgi", source: str | None = None, **other: Any) -> TaskDescription:
    layer = {"python/click/__init__.py": "__version__ = 'the app has its own'"}
    task = TaskDescription(
        bucket="artifacts",
        code=bucket.put(zipped({"app.py": SOURCES[kind] if source is None else source})),
        layers=(bucket.put(zipped(layer)),),
        handler="app.handler",
        kind=kind,
        application=None if kind == "lambda" else "app:app",
        health_path="/",
        drain_seconds=9,
        function_name="al-shop-dev",
        function_version="7",
        memory=256,
        timeout=2,
        processes=1,
    )
    return replace(task, **other)


def test_an_app_finds_what_it_finds_on_lambda(bucket: Bucket, tmp_path: Path) -> None:
    with running(a_task(bucket), tmp_path, endpoint(bucket), COLOUR="blue") as task:
        told = task.get("/?token=hidden", headers={"X-Forwarded-For": "9.9.9.9, 1.2.3.4"}).json()
        line = until(lambda: next((one for one in task.said("request") if one["client"] == "1.2.3.4"), None), 30)
    assert told["cwd"] == str(tmp_path / "var/task")
    assert told["path"][0] == str(tmp_path / "var/task")
    assert told["path"][2] == str(tmp_path / "opt/python")
    assert told["click"] == "the app has its own"
    assert told["ours"] == []
    assert told["scheme"] == "https"
    known = {"COLOUR": "blue", "AWS_LAMBDA_FUNCTION_NAME": "al-shop-dev", "AWS_LAMBDA_FUNCTION_VERSION": "7",
             "_HANDLER": "app.handler", "LAMBDA_TASK_ROOT": told["cwd"], "TZ": ":UTC"}  # fmt: skip
    assert known.items() <= told["env"].items()
    assert not {"AUTO_LAMBDA_TASK", "AUTO_LAMBDA_ROOT", "AUTO_LAMBDA_LISTEN"} & set(told["env"])
    assert (line["method"], line["path"], line["status"]) == ("GET", "/", 200)
    assert not any("hidden" in one for one in task.lines)


def test_an_app_that_raises_is_answered_for_and_goes_on(bucket: Bucket, tmp_path: Path) -> None:
    with running(a_task(bucket), tmp_path, endpoint(bucket)) as task:
        assert task.get("/boom").status == 500
        assert task.get("/").status == 200


def test_a_wsgi_app_is_served_by_several_processes(bucket: Bucket, tmp_path: Path) -> None:
    with running(a_task(bucket, "wsgi", processes=2), tmp_path, endpoint(bucket)) as task:
        assert task.get("/", "POST", body=b"hello").data == b"('https', 'POST', b'hello')"
        task.stop()
        assert task.ended() == ExitStatus.STOPPED


def test_a_handler_is_called_as_lambda_calls_it(bucket: Bucket, tmp_path: Path) -> None:
    with running(a_task(bucket, "lambda", processes=2), tmp_path, endpoint(bucket)) as task:
        answer = task.get("/x", "POST", body=b"hello", headers={"Content-Type": "text/plain"})
        assert (answer.status, answer.data) == (201, b"\xffhello")
        assert answer.headers["X-Handler"] == "app.handler"
        assert answer.headers.getlist("Set-Cookie") == ["a=1", "b=2"]
        assert task.get("/boom").status == 500
        assert task.get("/die").status == 500
        assert task.get("/slow").status == 504
        assert [task.get("/").status for _ in range(4)] == [201] * 4


def test_a_drain_ends_what_is_under_way_and_answers_what_still_comes(bucket: Bucket, tmp_path: Path) -> None:
    with running(a_task(bucket), tmp_path, endpoint(bucket)) as task:
        assert task.get(HEALTH_PATH).status == 200
        answers: list[int] = []
        asking = threading.Thread(target=lambda: answers.append(task.get("/slow?2").status))
        asking.start()
        while not any("slow begins" in line for line in task.lines):
            asking.join(0.01)
        task.stop()
        while not task.said("draining"):
            asking.join(0.01)
        assert task.get(HEALTH_PATH).status == 503
        late = task.get("/")
        assert (late.status, late.headers["Connection"]) == (200, "close")
        assert task.ended() == ExitStatus.STOPPED
        asking.join()
        assert answers == [200]


@pytest.mark.parametrize("kind", ["asgi", "wsgi", "lambda"])
def test_a_drain_under_load_loses_no_request(bucket: Bucket, tmp_path: Path, kind: Kind) -> None:
    with running(a_task(bucket, kind, processes=2), tmp_path, endpoint(bucket)) as task:
        statuses: list[int] = []
        stop = threading.Event()

        def ask_on() -> None:
            while not stop.is_set():
                statuses.append(task.get("/", "POST", body=b"x").status)

        asking = [threading.Thread(target=ask_on) for _ in range(6)]
        for one in asking:
            one.start()
        until(lambda: len(statuses) > 50, 30)
        task.stop()
        until(lambda: task.said("draining"), 30)
        seen = len(statuses)
        until(lambda: len(statuses) > seen + 50, 30)
        stop.set()
        for one in asking:
            one.join()
        assert set(statuses) == {201 if kind == "lambda" else 200}
        assert task.ended() == ExitStatus.STOPPED


def give_up_with(task: Running, path: str) -> None:
    with contextlib.suppress(urllib3.exceptions.HTTPError):
        task.get(path)


def test_a_drain_ends_at_its_deadline(bucket: Bucket, tmp_path: Path) -> None:
    with running(a_task(bucket, drain_seconds=3), tmp_path, endpoint(bucket)) as task:
        asking = threading.Thread(target=give_up_with, args=(task, "/slow?600"))
        asking.start()
        while not any("slow begins" in line for line in task.lines):
            asking.join(0.01)
        task.stop()
        assert task.ended(seconds=30) == ExitStatus.STOPPED
        asking.join()


CANNOT: dict[str, tuple[dict[str, Any], str, str]] = {
    "an artefact that is missing": (
        {"code": Artefact("none.zip", "0" * 64)}, "ARTEFACT_MISSING", "s3://artifacts/none.zip cannot be read"),
    "code that does not import": ({"source": "import no_such"}, "APP_DOES_NOT_LOAD", "no_such"),
    "an app that ends its process": ({"source": "raise SystemExit(0)"}, "APP_DOES_NOT_LOAD", "SystemExit"),
    "a name that the module lacks": ({"source": ""}, "APP_DOES_NOT_LOAD", "no attribute 'app'"),
    "a handler that does not import": (
        {"kind": "lambda", "source": "import no_such"}, "APP_DOES_NOT_LOAD", "no_such"),
}  # fmt: skip


@pytest.mark.parametrize(("given", "exit_status", "said"), CANNOT.values(), ids=CANNOT)
def test_what_cannot_be_served_is_named(
    bucket: Bucket, tmp_path: Path, given: dict[str, Any], exit_status: str, said: str
) -> None:
    with running(a_task(bucket, **given), tmp_path, endpoint(bucket)) as task:
        assert task.ended() == ExitStatus[exit_status]
    (told,) = task.said("cannot-serve")
    assert said in told["message"]


def test_an_artefact_that_differs_is_never_run(bucket: Bucket, tmp_path: Path) -> None:
    task = a_task(bucket)
    bucket.objects[f"/artifacts/{task.code.key}"] = zipped({"app.py": "print('run all the same', flush=True)"})
    with running(task, tmp_path, endpoint(bucket)) as one:
        assert one.ended() == ExitStatus.ARTEFACT_DIFFERS
    assert not any("run all the same" in line for line in one.lines)


def test_a_second_task_with_the_same_root_unpacks_nothing(bucket: Bucket, tmp_path: Path) -> None:
    task = a_task(bucket)
    for _ in range(2):
        with running(task, tmp_path, endpoint(bucket)) as one:
            assert one.get("/").status == 200
        bucket.objects.clear()


@pytest.mark.parametrize(
    ("environ", "status", "said"),
    [
        ({}, ExitStatus.NOWHERE, "neither Lambda"),
        ({"ECS_CONTAINER_METADATA_URI_V4": "http://x"}, ExitStatus.BAD_TASK, "without AUTO_LAMBDA_TASK"),
        ({"AUTO_LAMBDA_TASK": "{}"}, ExitStatus.BAD_TASK, "bucket is missing"),
    ],
)
def test_without_a_description_it_says_what_is_missing(
    environ: dict[str, str], status: ExitStatus, said: str, tmp_path: Path
) -> None:
    done = start(tmp_path, environ)
    assert done.returncode == status
    assert said in json.loads(done.stdout)["message"]


def test_on_lambda_it_becomes_the_ordinary_runtime(tmp_path: Path) -> None:
    runtime = tmp_path / "runtime"
    runtime.mkdir()
    (runtime / "bootstrap").write_text("#!/bin/sh\necho the runtime of $_HANDLER\n")
    (runtime / "bootstrap").chmod(0o755)
    done = start(tmp_path, {"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9", "_HANDLER": "app.handler",
                            "LAMBDA_RUNTIME_DIR": str(runtime)})  # fmt: skip
    assert done.stdout == "the runtime of app.handler\n"


def start(folder: Path, environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    entry = folder / "entrypoint.zip"
    entry.write_bytes(packed().content)
    python = ToolEnvironments().python("runtime", site_of("runtime").parts[-2].removeprefix("python"))
    given = {"PATH": os.environ["PATH"], **environ}
    return subprocess.run([python, entry], env=given, capture_output=True, text=True, timeout=60, check=False)

"""A handler runs in processes of its own, by the Runtime API; what it returns, raises or dies of comes back."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from entrypoint.bridge.workers import HandlerFailed, HandlerTooSlow, RuntimePool, RuntimeProcess
from entrypoint.failures import CannotServe, ExitStatus

CLIENT = """
import json, os, sys, time, urllib.request
BASE = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime/"
def post(path, value, chunked=False):
    body = json.dumps(value).encode()
    request = urllib.request.Request(BASE + path, iter([body[:3], body[3:]]) if chunked else body, method="POST")
    urllib.request.urlopen(request).read()
if os.environ.get("FAILS"):
    post("init/error", {"errorMessage": os.environ["FAILS"]})
    sys.exit(1)
if os.environ.get("ENDS"):
    sys.exit(0)
if os.environ.get("HANGS"):
    time.sleep(600)
while True:
    with urllib.request.urlopen(BASE + "invocation/next") as answer:
        headers, event = answer.headers, json.load(answer)
    identifier = headers["Lambda-Runtime-Aws-Request-Id"]
    match event["do"]:
        case "return":
            post(f"invocation/{identifier}/response", {"got": event, "pid": os.getpid(),
                 "arn": headers["Lambda-Runtime-Invoked-Function-Arn"]}, event.get("chunked"))
        case "return much":
            post(f"invocation/{identifier}/response", "x" * event["size"], event["chunked"])
        case "raise":
            post(f"invocation/{identifier}/error", {"errorMessage": "as asked"})
        case "die":
            os._exit(3)
        case "sleep":
            time.sleep(600)
"""


def run(
    folder: Path, use: Callable[[RuntimePool], Awaitable[Any]], size: int = 1, environ: Mapping[str, str] | None = None
) -> Any:
    (folder / "client.py").write_text(CLIENT)
    command = [sys.executable, "-I", str(folder / "client.py")]
    given = {"PATH": os.environ["PATH"], **(environ or {})}

    async def main() -> Any:
        pool = RuntimePool([RuntimeProcess(command, given, folder, "arn:of:it") for _ in range(size)])
        try:
            await pool.start(30)
            return await use(pool)
        finally:
            pool.stop()

    return asyncio.run(main())


@pytest.mark.parametrize("chunked", [False, True])
def test_what_a_handler_returns_comes_back(tmp_path: Path, chunked: bool) -> None:
    event = {"do": "return", "chunked": chunked, "text": "ü" * 100_000}
    returned = run(tmp_path, lambda pool: pool.invoke(event, 30))
    assert (returned["got"], returned["arn"]) == (event, "arn:of:it")


@pytest.mark.parametrize("chunked", [False, True])
def test_an_answer_that_lambda_would_not_take_is_a_failure(tmp_path: Path, chunked: bool) -> None:
    async def use(pool: RuntimePool) -> int:
        fits = await pool.invoke({"do": "return much", "size": 6_200_000, "chunked": chunked}, 30)
        with pytest.raises(HandlerFailed, match="ResponseSizeTooLarge"):
            await pool.invoke({"do": "return much", "size": 6_300_000, "chunked": chunked}, 30)
        await pool.invoke({"do": "return"}, 30)
        return len(fits)

    assert run(tmp_path, use) == 6_200_000


def test_a_handler_that_raises_goes_on_in_its_process(tmp_path: Path) -> None:
    async def use(pool: RuntimePool) -> list[int]:
        before = await pool.invoke({"do": "return"}, 30)
        with pytest.raises(HandlerFailed, match="as asked"):
            await pool.invoke({"do": "raise"}, 30)
        return [before["pid"], (await pool.invoke({"do": "return"}, 30))["pid"]]

    before, after = run(tmp_path, use)
    assert before == after


@pytest.mark.parametrize(("do", "error", "seconds"), [("die", HandlerFailed, 30), ("sleep", HandlerTooSlow, 0.2)])
def test_a_process_that_dies_or_takes_too_long_is_replaced(
    tmp_path: Path, do: str, error: type[Exception], seconds: float
) -> None:
    async def use(pool: RuntimePool) -> list[int]:
        before = await pool.invoke({"do": "return"}, 30)
        with pytest.raises(error):
            await pool.invoke({"do": do}, seconds)
        return [before["pid"], (await pool.invoke({"do": "return"}, 30))["pid"]]

    before, after = run(tmp_path, use)
    assert before != after


def test_who_has_gone_leaves_no_answer_to_the_next(tmp_path: Path) -> None:
    async def use(pool: RuntimePool) -> Any:
        gone = asyncio.create_task(pool.invoke({"do": "sleep"}, 30))
        await asyncio.sleep(0.1)
        gone.cancel()
        return await pool.invoke({"do": "return", "whose": "mine"}, 30)

    assert run(tmp_path, use)["got"]["whose"] == "mine"


def test_events_wait_for_a_free_process_and_each_gets_its_own_answer(tmp_path: Path) -> None:
    async def use(pool: RuntimePool) -> list[Any]:
        return await asyncio.gather(*(pool.invoke({"do": "return", "number": number}, 30) for number in range(20)))

    found = run(tmp_path, use, size=2)
    assert [one["got"]["number"] for one in found] == list(range(20))
    assert len({one["pid"] for one in found}) == 2


@pytest.mark.parametrize(
    ("environ", "status", "said"),
    [
        ({"FAILS": "no such module"}, ExitStatus.APP_DOES_NOT_LOAD, "no such module"),
        ({"ENDS": "1"}, ExitStatus.APP_DOES_NOT_LOAD, "the process ended"),
    ],
)
def test_a_handler_that_does_not_load_ends_the_task(
    tmp_path: Path, environ: dict[str, str], status: ExitStatus, said: str
) -> None:
    with pytest.raises(CannotServe, match=said) as caught:
        run(tmp_path, lambda pool: pool.invoke({}, 1), environ=environ)
    assert caught.value.exit_status is status


def test_a_handler_that_loads_for_ever_ends_the_task(tmp_path: Path) -> None:
    (tmp_path / "client.py").write_text(CLIENT)
    command = [sys.executable, "-I", str(tmp_path / "client.py")]

    async def main() -> None:
        pool = RuntimePool([RuntimeProcess(command, {"HANGS": "1"}, tmp_path, "arn")])
        try:
            await pool.start(0.2)
        finally:
            pool.stop()

    with pytest.raises(CannotServe, match="has not loaded within") as caught:
        asyncio.run(main())
    assert caught.value.exit_status is ExitStatus.APP_TOO_SLOW

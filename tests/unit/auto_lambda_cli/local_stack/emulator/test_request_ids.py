from __future__ import annotations

import asyncio
import contextvars
import threading
from typing import Any

import pytest

from auto_lambda_cli.local_stack.emulator.request_ids import HEADER, asking, naming, noting

Answer = tuple[int, dict[str, str], bytes]


def executed_by_a_thread(request_id: str) -> None:
    execute = noting(lambda *_: {"body": 1})
    context = contextvars.copy_context()
    thread = threading.Thread(target=context.run, args=(execute, {}, {}, {}, request_id, 0.0))
    thread.start()
    thread.join()


async def invoke(*_: Any, **__: Any) -> Answer:
    executed_by_a_thread("r1")
    return 200, {}, b""


async def invoke_nothing(*_: Any, **__: Any) -> Answer:
    return 404, {}, b""


@pytest.mark.parametrize(
    ("dispatch", "named"),
    [(asking(invoke), {HEADER: "r1"}), (asking(invoke_nothing), {}), (invoke, {})],
    ids=["an invocation", "one of no function", "another call, in whose course a function is executed"],
)
def test_the_answer_to_an_invocation_names_what_was_executed_for_it(dispatch: Any, named: dict[str, str]) -> None:
    async def dispatched(*arguments: Any) -> Answer:
        status, headers, body = await dispatch(*arguments)
        return status, {"x-amzn-requestid": "made up", **headers}, body

    async def headers_of_it() -> dict[str, str]:
        _, headers, _ = await naming(dispatched)("f")
        return headers

    assert asyncio.run(headers_of_it()) == {HEADER: "made up", **named}


def test_an_execution_that_nobody_waits_for_is_noted_nowhere() -> None:
    executed_by_a_thread("r1")

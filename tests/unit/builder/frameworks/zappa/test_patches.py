"""What is appended to zappa's settings, run with the real zappa."""

from __future__ import annotations

import subprocess

import pytest

from auto_lambda.tools import ToolEnvironments
from builder.frameworks.zappa.patches import DISCONNECT_AFTER_ANSWER

APPS = {
    # Django's ASGIHandler.__call__: the request's task is cancelled if the client leaves before the answer.
    "one that gives up when the client leaves": """
async def app(scope, receive, send):
    await receive()
    async def answer():
        await asyncio.sleep(0.01)
        await send({"type": "http.response.start", "status": 201, "headers": []})
        await send({"type": "http.response.body", "body": b"one, ", "more_body": True})
        await asyncio.sleep(0.01)
        await send({"type": "http.response.body", "body": b"two"})
    tasks = [asyncio.create_task(receive()), asyncio.create_task(answer())]
    done, rest = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in rest:
        task.cancel()
""",
    "one that never asks again": """
async def app(scope, receive, send):
    await receive()
    await send({"type": "http.response.start", "status": 201, "headers": []})
    await send({"type": "http.response.body", "body": b"one, two"})
""",
    "one that waits for the client to leave once it has answered": """
async def app(scope, receive, send):
    await receive()
    await send({"type": "http.response.start", "status": 201, "headers": []})
    await send({"type": "http.response.body", "body": b"one, two"})
    assert (await receive())["type"] == "http.disconnect"
""",
}
RUN = """
from zappa.asgi import ASGIHandler
for _ in range(2):  # a function answers one request after another
    handler = ASGIHandler(app, {"type": "http"}, b"")
    handler.run()
    print(handler.status_code, bytes(handler.response_body))
"""


@pytest.mark.parametrize("app", APPS.values(), ids=APPS)
def test_an_asgi_app_is_not_disconnected_before_it_has_answered(app: str) -> None:
    python = ToolEnvironments().python("compiler", "3.12")
    code = f"import asyncio\n{DISCONNECT_AFTER_ANSWER}\n{app}\n{RUN}"
    ended = subprocess.run([python, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert ended.stdout == "201 b'one, two'\n" * 2, ended.stderr

"""What is appended to zappa's settings, run with the real zappa."""

from __future__ import annotations

import subprocess

import pytest

from auto_lambda.tools import ToolEnvironments
from builder.frameworks.zappa.patches import (
    DISCONNECT_AFTER_ANSWER,
    LOAD_BALANCER_EVENTS,
    LOG_FAILED_REQUESTS,
    STAGE_IN_QUARTS_PATH,
)

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


FAILS = """
import sys, types
from zappa import handler
from zappa.handler import LambdaHandler
sys.modules["handler"] = handler
%s
%s
whole = object.__new__(LambdaHandler)
whole.settings = None
try:
    raise KeyError("COLOR")
except KeyError as error:
    print(whole._handle_request_exception({}, None, error)["statusCode"])
"""


def test_an_exception_at_a_request_is_logged_with_its_traceback() -> None:
    python = ToolEnvironments().python("compiler", "3.12")
    code = FAILS % (LOG_FAILED_REQUESTS, LOG_FAILED_REQUESTS)  # settings may be read twice
    ended = subprocess.run([python, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert ended.stdout.endswith("500\n"), ended.stderr
    assert ended.stderr.count("Traceback (most recent call last):") == 1
    assert ended.stderr.endswith("KeyError: 'COLOR'\n")


STAGED = """
from zappa.asgi import ASGIHandler

async def answer(scope, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": scope["path"].encode()})

class App:
    async def __call__(self, scope, receive, send):
        await answer(scope, send)

class Quart:
    __module__ = "quart.app"
    async def __call__(self, scope, receive, send):
        await answer(scope, send)

class Shop(Quart):
    pass

for app, root in ((App(), "/dev"), (Quart(), "/dev"), (Shop(), "/dev"), (Quart(), "")):
    handler = ASGIHandler(app, {"type": "http", "path": "/api", "root_path": root}, b"")
    handler.run()
    print(bytes(handler.response_body).decode())
"""


def test_quart_is_told_the_path_with_the_stage_that_it_takes_off_itself() -> None:
    python = ToolEnvironments().python("compiler", "3.12")
    code = f"{DISCONNECT_AFTER_ANSWER}\n{STAGE_IN_QUARTS_PATH}\n{STAGED}"
    ended = subprocess.run([python, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert ended.stdout.split() == ["/api", "/dev/api", "/dev/api", "/api"], ended.stderr


BALANCED = """
import sys, types
from zappa import handler
from zappa.handler import LambdaHandler
sys.modules["handler"] = handler
def handle(self, event, context):
    return event
LambdaHandler.handler = handle
%s
%s
whole = object.__new__(LambdaHandler)
for context in ({"elb": {"targetGroupArn": "g"}}, {}, None):
    for name, values in (
        ("multiValueQueryStringParameters", {"q": ["a%%20b", "c+d"], "%%C3%%A9": ["1"]}),
        ("queryStringParameters", {"q": "a%%20b"}),
        ("body", "a%%20b"),
    ):
        print(ascii(whole.handler({"requestContext": context, name: values}, None)[name]))
print(whole.handler([1], None))
"""


def test_a_query_of_a_load_balancer_is_decoded_once_and_those_of_an_api_are_left_alone() -> None:
    python = ToolEnvironments().python("compiler", "3.12")
    code = BALANCED % (LOAD_BALANCER_EVENTS, LOAD_BALANCER_EVENTS)
    ended = subprocess.run([python, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    as_sent = ["{'q': ['a%20b', 'c+d'], '%C3%A9': ['1']}", "{'q': 'a%20b'}", "'a%20b'"]
    decoded = ["{'q': ['a b', 'c d'], '\\xe9': ['1']}", "{'q': 'a b'}", "'a%20b'"]
    assert ended.stdout.splitlines() == [*decoded, *as_sent, *as_sent, "[1]"], ended.stderr

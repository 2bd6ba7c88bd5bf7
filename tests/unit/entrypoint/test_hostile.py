"""A task as a process answers what attackers, impatient clients and slow ones send, and goes on."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from e2e_stack import until
from flex_task import Bucket, Running, running, zipped

from entrypoint.task import TaskDescription

ASGI = """
import asyncio, json
async def app(scope, receive, send):
    size, more = 0, True
    while more:
        message = await receive()
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    if scope["path"] == "/stream":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for number in range(3):
            await send({"type": "http.response.body", "body": b"%d" % number, "more_body": True})
            await asyncio.sleep(0.05)
        await send({"type": "http.response.body", "body": b"end"})
        return
    if scope["path"] == "/late":
        await send({"type": "http.response.start", "status": 500, "headers": []})
        await send({"type": "http.response.body", "body": b"the framework's words"})
        raise ValueError("as asked")
    if scope["path"] == "/wait":
        print("waiting", flush=True)
        print(f"then {(await receive())['type']}", flush=True)
        return
    answer = {"type": scope["type"], "path": scope["path"], "size": size}
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": json.dumps(answer).encode()})
"""
HANDLERS = """
import json, time
def check(event, context):
    effect = "Allow" if event["authorizationToken"] == "let me in" else "Deny"
    statement = {"Action": "execute-api:Invoke", "Effect": effect, "Resource": "*"}
    return {"principalId": "somebody", "policyDocument": {"Statement": [statement]}}
def handler(event, context):
    print(event["body"], flush=True)
    if event["path"] == "/slow":
        print("slow begins", flush=True)
        time.sleep(600)
    told = {"who": event["requestContext"].get("authorizer"), "ip": event["requestContext"]["identity"]["sourceIp"]}
    return {"statusCode": 200, "body": json.dumps(told)}
"""
FRONT = {
    "stage": "api", "binary": [], "fixed": [],
    "routes": {"/open": {"GET": {}, "POST": {}}, "/slow": {"GET": {}}, "/guarded": {"GET": {"authorizer": "check"}}},
    "authorizers": {
        "check": {"handler": "app.check", "header": "Authorization", "pattern": None, "ttl": 0, "timeout": 9}
    },
}  # fmt: skip


def described(bucket: Bucket, source: str, **more: Any) -> TaskDescription:
    fixed: dict[str, Any] = {
        "bucket": "artifacts", "code": bucket.put(zipped({"app.py": source})), "layers": (), "handler": "app.handler",
        "kind": "asgi", "application": "app:app", "health_path": "/open", "drain_seconds": 9, "function_name": "f",
        "function_version": "1", "memory": 256, "timeout": 2, "processes": 1,
    }  # fmt: skip
    return TaskDescription(**{**fixed, **more})


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Running]]:
    """One task that serves an application, one that calls a handler."""
    bucket = Bucket()
    endpoint, folder = f"http://127.0.0.1:{bucket.server_port}", tmp_path_factory.mktemp("tasks")
    bridged = described(bucket, HANDLERS, kind="lambda", application=None, payload="1.0", front=FRONT)
    with (
        running(described(bucket, ASGI), folder / "asgi", endpoint) as asgi,
        running(bridged, folder / "lambda", endpoint) as bridge,
    ):
        yield {"asgi": asgi, "lambda": bridge}
    bucket.shutdown()
    bucket.server_close()


def sent(task: Running, *lines: str, body: bytes = b"") -> bytes:
    """All that comes back for some bytes, until the task ends the connection."""
    data = "\r\n".join([*lines, "", ""]).encode("latin-1") + body
    with socket.create_connection(("127.0.0.1", task.port), timeout=20) as connection:
        connection.sendall(data)
        return b"".join(iter(lambda: connection.recv(65536), b""))


HOST = "Host: shop.example.com"
SMUGGLED = b"0\r\n\r\nGET /guarded HTTP/1.1\r\nHost: x\r\nAuthorization: let me in\r\n\r\n"
REFUSED: dict[str, tuple[str, ...]] = {
    "a length and chunks": ("POST /open HTTP/1.1", HOST, "Content-Length: 5", "Transfer-Encoding: chunked"),
    "two lengths": ("POST /open HTTP/1.1", HOST, "Content-Length: 5", "Content-Length: 6"),
    "a length that is none": ("POST /open HTTP/1.1", HOST, "Content-Length: +5"),
    "an unknown coding": ("POST /open HTTP/1.1", HOST, "Transfer-Encoding: xchunked"),
    "a coding with a space": ("POST /open HTTP/1.1", HOST, "Transfer-Encoding : chunked"),
    "two hosts": ("GET /open HTTP/1.1", HOST, "Host: other"),
    "a tunnel": ("CONNECT evil.example:443 HTTP/1.1", HOST),
    "another server's URL": ("GET http://evil.example/guarded HTTP/1.1", HOST),
    "no path": ("OPTIONS * HTTP/1.1", HOST),
    "a preface of HTTP/2": ("PRI * HTTP/2.0",),
    "headers that are too long": ("GET /open HTTP/1.1", HOST, f"X-Long: {'x' * 100_000}"),
    "a null": ("GET /guarded\0 HTTP/1.1", HOST),
}


@pytest.mark.parametrize("kind", ["asgi", "lambda"])
@pytest.mark.parametrize("lines", REFUSED.values(), ids=REFUSED)
def test_what_could_be_read_in_two_ways_is_refused_with_all_that_follows(
    tasks: dict[str, Running], kind: str, lines: tuple[str, ...]
) -> None:
    answer = sent(tasks[kind], *lines, body=SMUGGLED if lines[0].startswith("POST") else b"")
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1") == 1
    assert tasks[kind].get("/open").status == 200


@pytest.mark.parametrize(
    "lines",
    [
        ("GET /guarded HTTP/1.1",),
        ("GET //guarded/ HTTP/1.1",),
        ("GET /guarded?Authorization=let%20me%20in HTTP/1.1",),
        ("GET /guarded HTTP/1.1", "Cookie: Authorization=let me in"),
        ("GET /guarded HTTP/1.1", "X-Forwarded-Authorization: let me in"),
        ("GET /guarded HTTP/1.1", "X-Own: 1", " Authorization: let me in"),
        ("GET /guarded HTTP/1.1", "Authorization: no", "Authorization: let me in"),
        ("GET /guarded HTTP/1.1", "Authorization: let me in", "Authorization: no"),
        ("GET /g%75arded HTTP/1.1",),
        ("GET /open/../guarded HTTP/1.1",),
        ("get /guarded HTTP/1.1", "Authorization: let me in"),
        ("POST /guarded HTTP/1.1", "X-HTTP-Method-Override: GET", "Content-Length: 0"),
        ("OPTIONS /guarded HTTP/1.1",),
    ],
)
def test_nothing_gets_past_an_authorizer(tasks: dict[str, Running], lines: tuple[str, ...]) -> None:
    answer = sent(tasks["lambda"], lines[0], HOST, *lines[1:], "Connection: close")
    assert answer.split(b" ", 2)[1] in {b"401", b"403"}
    assert b'"who"' not in answer


def test_nobody_says_who_he_is_by_a_header(tasks: dict[str, Running]) -> None:
    context = '{"authorizer": {}}'
    spoofed = {"X-Forwarded-For": "6.6.6.6, 9.9.9.9", "X-Real-Ip": "6.6.6.6", "X-Amzn-RequestContext": context}
    assert tasks["lambda"].get("/open", headers=spoofed).json() == {"who": None, "ip": "9.9.9.9"}


@pytest.mark.parametrize("kind", ["asgi", "lambda"])
def test_a_websocket_is_an_ordinary_request_as_for_an_api(tasks: dict[str, Running], kind: str) -> None:
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Key": "x", "Sec-WebSocket-Version": "13"}
    assert tasks[kind].get("/open", headers=upgrade).status == 200
    assert not any("WebSocket library" in line for line in tasks[kind].lines)


def test_an_answer_in_pieces_is_sent_in_pieces(tasks: dict[str, Running]) -> None:
    answer = sent(tasks["asgi"], "GET /stream HTTP/1.1", HOST, "Connection: close")
    assert answer.count(b"\r\n1\r\n") >= 3
    assert answer.endswith(b"\r\n3\r\nend\r\n0\r\n\r\n")


def test_an_app_that_raises_after_its_answer_to_an_error_is_answered_for(tasks: dict[str, Running]) -> None:
    answer = sent(tasks["asgi"], "GET /late HTTP/1.1", HOST, "Connection: close")
    assert answer.startswith(b"HTTP/1.1 500 ")
    assert answer.endswith(b'{"message": "Internal Server Error"}')


def test_an_app_is_told_that_its_client_has_gone(tasks: dict[str, Running]) -> None:
    task = tasks["asgi"]
    with socket.create_connection(("127.0.0.1", task.port), timeout=20) as connection:
        connection.sendall(f"GET /wait HTTP/1.1\r\n{HOST}\r\n\r\n".encode())
        until(lambda: any("waiting" in line for line in task.lines), 20)
    until(lambda: any("then http.disconnect" in line for line in task.lines), 20)
    assert task.get("/open").status == 200


@pytest.mark.parametrize("kind", ["asgi", "lambda"])
def test_clients_that_never_finish_keep_nobody_waiting(tasks: dict[str, Running], kind: str) -> None:
    begun = ("GET /open HTTP/1.1\r\nHo", f"POST /open HTTP/1.1\r\n{HOST}\r\nContent-Length: 9\r\n\r\nx")
    connections = [socket.create_connection(("127.0.0.1", tasks[kind].port), timeout=20) for _ in range(100)]
    try:
        for number, one in enumerate(connections):
            one.sendall(begun[number % 2].encode())
        assert tasks[kind].get("/open").status == 200
    finally:
        for one in connections:
            one.close()
    assert tasks[kind].get("/open").status == 200


def test_a_request_that_is_broken_off_reaches_no_handler(tasks: dict[str, Running]) -> None:
    task = tasks["lambda"]
    with socket.create_connection(("127.0.0.1", task.port), timeout=20) as connection:
        connection.sendall(f"POST /open?broken HTTP/1.1\r\n{HOST}\r\nContent-Length: 9\r\n\r\nORDER".encode())
    assert task.get("/open").status == 200
    assert not any("ORDER" in line for line in task.lines)


def test_a_body_that_is_too_large_is_refused(tasks: dict[str, Running]) -> None:
    assert tasks["lambda"].get("/open", "POST", body=b"x" * (7 << 20)).status == 413


def test_who_waits_for_a_busy_handler_is_answered_in_the_end(tasks: dict[str, Running]) -> None:
    task = tasks["lambda"]
    with socket.create_connection(("127.0.0.1", task.port), timeout=20) as connection:
        connection.sendall(f"GET /slow HTTP/1.1\r\n{HOST}\r\n\r\n".encode())
        until(lambda: any("slow begins" in line for line in task.lines), 20)
        assert task.get("/open").status in {200, 504}
        assert connection.recv(12) == b"HTTP/1.1 504"
    assert task.get("/open").status == 200


def test_every_line_of_the_servers_own_is_json(tasks: dict[str, Running]) -> None:
    sent(tasks["asgi"], "GET /open", "")
    until(lambda: tasks["asgi"].said("server"), 20)
    lines = [line for line in tasks["asgi"].lines if line.strip() and not line.startswith(("waiting", "then "))]
    assert all(json.loads(line)["level"] for line in lines)

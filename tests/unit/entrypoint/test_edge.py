"""Every request meets the edge: health, refusals, the access log, and the end of connections in a drain."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from entrypoint.edge import Edge, client
from entrypoint.task import HEALTH_PATH

Pairs = list[tuple[bytes, bytes]]


def scope(path: str = "/x", method: str = "GET", headers: Pairs | None = None) -> dict[str, Any]:
    return {"type": "http", "method": method, "path": path, "headers": headers or [], "client": ("10.0.0.7", 1)}


async def _hello(_: Any, __: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 201, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


def asked(edge: Edge, given: dict[str, Any]) -> tuple[int, dict[bytes, bytes], bytes]:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request"}

    asyncio.run(edge(given, receive, send))
    return sent[0]["status"], dict(sent[0]["headers"]), b"".join(one.get("body", b"") for one in sent[1:])


@pytest.mark.parametrize(
    "given",
    [
        scope(method="POST", headers=[(b"content-length", b"6"), (b"transfer-encoding", b"chunked")]),
        scope(HEALTH_PATH, headers=[(b"transfer-encoding", b"chunked"), (b"content-length", b"0")]),
        scope("evil.example:443", "CONNECT"),
        scope("/", "CONNECT"),
        scope("http://evil.example/admin"),
        scope("*", "OPTIONS"),
        scope(headers=[(b"x-long", b"x" * 66_000)]),
        scope(headers=[(b"x-many", b"x" * 1000)] * 66),
        scope(""),
    ],
)
def test_what_two_servers_could_read_differently_is_refused_and_ends_its_connection(given: dict[str, Any]) -> None:
    status, headers, _ = asked(Edge(_hello, 9), given)
    assert (status, headers[b"connection"]) == (400, b"close")


def test_health_is_the_edges_own_until_a_drain() -> None:
    edge = Edge(_hello, 9)
    assert asked(edge, scope(HEALTH_PATH))[::2] == (200, b"ok")
    edge.drain()
    assert asked(edge, scope(HEALTH_PATH))[::2] == (503, b"draining")
    status, headers, body = asked(edge, scope())
    assert (status, headers[b"connection"], body) == (201, b"close", b"hello")


def test_the_log_has_no_query_and_no_header(capsys: pytest.CaptureFixture[str]) -> None:
    asked(Edge(_hello, 9), {**scope(headers=[(b"authorization", b"secret")]), "query_string": b"token=secret"})
    line = json.loads(capsys.readouterr().out)
    told = {"event": "request", "method": "GET", "path": "/x", "status": 201, "bytes": 5}
    assert told.items() <= line.items()
    assert "secret" not in json.dumps(line)


@pytest.mark.parametrize("path", ['/"}\n{"event": "forged"}', "/\u2028", "/\x1b[31m"])
def test_no_path_makes_a_line_of_its_own(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    asked(Edge(_hello, 9), scope(path))
    (line,) = capsys.readouterr().out.rstrip("\n").split("\n")
    assert json.loads(line)["path"] == path


def test_an_app_that_raises_is_logged_as_failed(capsys: pytest.CaptureFixture[str]) -> None:
    async def raising(*_: Any) -> None:
        raise ValueError("as asked")

    with pytest.raises(ValueError, match="as asked"):
        asked(Edge(raising, 9), scope())
    assert json.loads(capsys.readouterr().out)["status"] == 500


@pytest.mark.parametrize(
    ("headers", "address"),
    [
        ([], "10.0.0.7"),
        ([(b"x-forwarded-for", b"1.1.1.1")], "1.1.1.1"),
        ([(b"x-forwarded-for", b"6.6.6.6, 1.1.1.1")], "1.1.1.1"),
        ([(b"x-forwarded-for", b"6.6.6.6"), (b"x-forwarded-for", b"7.7.7.7,1.1.1.1")], "1.1.1.1"),
        ([(b"x-forwarded-for", b"")], "10.0.0.7"),
        ([(b"x-real-ip", b"6.6.6.6"), (b"forwarded", b"for=6.6.6.6"), (b"client-ip", b"6.6.6.6")], "10.0.0.7"),
    ],
)
def test_the_client_is_who_the_load_balancer_saw(headers: Pairs, address: str) -> None:
    assert client(scope(headers=headers)) == address


def test_a_drain_is_over_when_nothing_has_come_for_a_while() -> None:
    edge = Edge(_hello, 9, quiet=0)
    before = edge.drained
    edge.drain()
    assert (before, edge.drained) == (False, True)
    assert Edge(_hello, 9).seconds_left == 9

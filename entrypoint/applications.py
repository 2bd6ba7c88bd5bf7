"""ASGI and WSGI applications, loaded as Lambda would load them and called as zappa's handler calls them."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from typing import Any

from a2wsgi import WSGIMiddleware

from entrypoint.edge import Application, Message, Receive, Scope, Send, client
from entrypoint.task import TaskDescription

_ERROR = 500
_THREADS = 20  # requests that a WSGI application works on at the same time
Failure = Callable[[Exception], tuple[int, bytes]]


def load(task: TaskDescription) -> Application:
    """Import the app, and return what answers requests.

    Raises:
        Exception: whatever the app's code raises.
    """
    if task.application:
        module, _, name = task.application.partition(":")
        return _Web(_as_asgi(task.kind, getattr(importlib.import_module(module), name)), _plain_failure)
    handler = importlib.import_module(task.handler.rpartition(".")[0]).LambdaHandler()
    app = handler.asgi_app if task.kind == "asgi" else handler.wsgi_app
    if app is None:
        raise TypeError(f"the zappa settings name no {task.kind.upper()} application")
    return _Web(_as_asgi(task.kind, app), _zappas_failure(handler))


def _as_asgi(kind: str, app: Any) -> Application:
    if kind == "asgi":
        asgi: Application = app
        return asgi
    bridge: Any = WSGIMiddleware(app, workers=_THREADS)
    wsgi: Application = bridge
    return wsgi


class _Web:
    """Calls an application behind a load balancer that ends TLS."""

    def __init__(self, app: Application, failure: Failure) -> None:
        self._app = app
        self._failure = failure

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False
        held: list[Message] = []

        async def noting(message: Message) -> None:
            nonlocal started
            # An answer to an error waits: an app that raises after it is answered for, as zappa's handler does.
            if held or (message["type"] == "http.response.start" and message["status"] >= _ERROR):
                held.append(message)
                return
            started = True
            await send(message)

        scope = {**scope, "scheme": "https", "client": (client(scope), 0), "headers": joined(scope["headers"])}
        try:
            await self._app(scope, receive, noting)
        except Exception as error:
            if started:
                raise
            status, body = self._failure(error)
            headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
            held = [
                {"type": "http.response.start", "status": status, "headers": headers},
                {"type": "http.response.body", "body": body},
            ]
        for message in held:
            await send(message)


def joined(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Return headers of which each stands once, joined as zappa joins them."""
    found: dict[bytes, bytes] = {}
    for name, value in headers:
        separator = b"; " if name == b"cookie" else b", "
        found[name] = found[name] + separator + value if name in found else value
    return list(found.items())


def _plain_failure(_: Exception) -> tuple[int, bytes]:
    return 500, json.dumps({"message": "Internal Server Error"}).encode()


def _zappas_failure(handler: Any) -> Failure:
    def answer(error: Exception) -> tuple[int, bytes]:
        told = handler._handle_request_exception({}, None, error)
        return int(told["statusCode"]), str(told["body"]).encode()

    return answer

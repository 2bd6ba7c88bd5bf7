"""Turns functions that ask AWS, and wait for it, into endpoints that do not keep others waiting."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from auto_lambda.keys import App
from auto_lambda_cli.console.answers import answer, refuse
from auto_lambda_cli.console.context import ConsoleContext
from auto_lambda_cli.console.problems import Problem, problem_of

Endpoint = Callable[[Request], Awaitable[Response]]
_LARGEST = 1_000_000  # bytes of a body of JSON


@dataclass(frozen=True, slots=True)
class PageRequest:
    """A request, as far as answers depend on it. ``body``: of a request that changes something."""

    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] = field(default_factory=dict)

    @property
    def app(self) -> App:
        """The app that the path or the query names; raises `BadKey`."""
        named = self.path if "name" in self.path else self.query
        return App(named.get("stage", ""), named.get("name", ""))

    def text(self, name: str) -> str | None:
        """Return a text of the body; None if it is null or not there."""
        value = self.body.get(name)
        if value is None or isinstance(value, str):
            return value
        raise Problem("bad-request", f"{name} has to be a text")


Answering = Callable[[ConsoleContext, PageRequest], Any]
"""Answers a request; may wait. What it raises becomes the answer."""


def reads(context: ConsoleContext, answering: Answering) -> Endpoint:
    """Make an endpoint of what only reads."""

    async def endpoint(request: Request) -> Response:
        asked = PageRequest(request.path_params, dict(request.query_params))
        return await _answered(context, answering, asked, 200)

    return endpoint


def changes(context: ConsoleContext, answering: Answering) -> Endpoint:
    """Make an endpoint of what changes something, as its body, a JSON object, says."""

    async def endpoint(request: Request) -> Response:
        try:
            body = await read_body(request)
        except Problem as problem:
            return refuse(problem)
        asked = PageRequest(request.path_params, dict(request.query_params), body)
        return await _answered(context, answering, asked, 202)

    return endpoint


async def _answered(context: ConsoleContext, answering: Answering, asked: PageRequest, status: int) -> Response:
    try:
        return answer(await run_in_threadpool(lambda: context.asked(lambda: answering(context, asked))), status)
    except Exception as error:  # noqa: BLE001 - the page shows whatever it is
        problem = problem_of(error)
        context.noticed(problem)
        return refuse(problem)


async def read_body(request: Request) -> Mapping[str, Any]:
    """Read a JSON object.

    Raises:
        Problem: it is none, or too large.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise Problem("bad-request", "the body has to be application/json")
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > _LARGEST:
                raise Problem("too-large", f"the request has more than {_LARGEST:,} bytes")
    except ClientDisconnect:
        raise Problem("bad-request", "the request ended early") from None
    try:
        data = json.loads(bytes(body) or b"{}")
    except (ValueError, RecursionError):
        raise Problem("bad-request", "the body is not JSON") from None
    if not isinstance(data, dict):
        raise Problem("bad-request", "the body has to be a JSON object")
    return data

"""The bridge: an ASGI application that answers each request by calling the function's handler."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from typing import Any

from entrypoint.bridge import answers, events, requests
from entrypoint.bridge.answers import BridgeAnswer
from entrypoint.bridge.authorizing import Authorizers
from entrypoint.bridge.front import PASS_ALL, read
from entrypoint.bridge.requests import Gone, HeldBodies, HttpRequest, TooLarge, TooMany
from entrypoint.bridge.workers import HandlerFailed, HandlerTooSlow, RuntimePool, RuntimeProcess
from entrypoint.edge import Receive, Scope, Send
from entrypoint.environment import search_path
from entrypoint.failures import CannotServe, ExitStatus
from entrypoint.place import Folders
from entrypoint.runtime import runtime_command
from entrypoint.task import TaskDescription

LONGEST_REQUEST = 29.0  # seconds: API Gateway waits no longer


class Bridge:
    """See above.

    Args:
        task: names the handler, and what its front does.
        folders: where the app is.

    Raises:
        CannotServe: the front is described wrongly.
    """

    def __init__(self, task: TaskDescription, folders: Folders) -> None:
        self._task = task
        self._folders = folders
        try:
            self._front = read(task.front) if task.front is not None else PASS_ALL
        except ValueError as error:
            raise CannotServe(ExitStatus.BAD_TASK, str(error)) from error
        self._bodies = HeldBodies()
        self._seconds = min(task.timeout, LONGEST_REQUEST)
        self._app = self._pool(task.handler, task.processes)
        handlers = {one.handler for one in self._front.authorizers.values()}
        self._deciding = {handler: self._pool(handler, max(1, task.processes // 4)) for handler in sorted(handlers)}
        self._authorizers = Authorizers(self._front, self._deciding, LONGEST_REQUEST)

    async def start(self, seconds: float) -> None:
        """Start the processes.

        Raises:
            CannotServe: one does not start.
        """
        await asyncio.gather(*(pool.start(seconds) for pool in (self._app, *self._deciding.values())))

    def stop(self) -> None:
        """End the processes."""
        for pool in (self._app, *self._deciding.values()):
            pool.stop()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        with self._bodies.one() as grow:
            try:
                answer = await self._answer(scope, receive, grow)
            except Gone:
                return
        await answer.give(send)

    async def _answer(self, scope: Scope, receive: Receive, grow: Callable[[int], None]) -> BridgeAnswer:
        try:
            request = await requests.read(scope, receive, grow)
        except TooLarge:
            return answers.TOO_LARGE
        except TooMany:
            return answers.TOO_MANY
        return await (self._rest(request) if self._task.payload == "1.0" else self._http(request))

    async def _http(self, request: HttpRequest) -> BridgeAnswer:
        try:
            return answers.http(await self._app.invoke(events.http(request), self._seconds))
        except HandlerFailed:
            return answers.HTTP_FAILED
        except HandlerTooSlow:
            return answers.TOO_SLOW

    async def _rest(self, request: HttpRequest) -> BridgeAnswer:
        match = self._front.find(request.method, request.path)
        if match is None:
            return answers.MISSING_TOKEN
        if match.method.fixed:
            return answers.fixed(match.method.fixed)
        authorized: BridgeAnswer | Mapping[str, Any] | None = None
        if match.method.authorizer:
            authorized = await self._authorizers.decide(request, match, match.method.authorizer)
        if isinstance(authorized, BridgeAnswer):
            return authorized
        try:
            returned = await self._app.invoke(events.rest(request, self._front, match, authorized), self._seconds)
        except HandlerFailed:
            return answers.REST_FAILED
        except HandlerTooSlow:
            return answers.TOO_SLOW
        return answers.rest(returned, request, self._front)

    def _pool(self, handler: str, size: int) -> RuntimePool:
        environ = {**os.environ, "_HANDLER": handler}
        environ["PYTHONPATH"] = os.pathsep.join(search_path(environ, self._folders, [])[1:])
        command = runtime_command(self._folders, handler)
        region = os.environ.get("AWS_REGION") or "us-east-1"
        arn = f"arn:aws:lambda:{region}:{events.ACCOUNT}:function:{self._task.function_name}"
        return RuntimePool([RuntimeProcess(command, environ, self._folders.task, arn) for _ in range(size)])

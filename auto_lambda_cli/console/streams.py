"""Server-sent events: somebody looks again and again at what may have changed, as long as the page listens."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from auto_lambda_cli.console.answers import refuse, to_json
from auto_lambda_cli.console.context import ConsoleContext
from auto_lambda_cli.console.problems import Problem, problem_of
from auto_lambda_cli.console.requests import Endpoint, PageRequest

MOST = 32
"""Streams at the same time: a page has two or three."""
_SILENT = 15.0  # seconds until a comment shows that the stream is alive
_AGAIN = 3.0  # seconds after a look that failed
_FINAL = frozenset({"bad-pattern", "bad-request", "bad-name"})
"""Problems that the same question always has."""


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """One event: its name, and its data, which become JSON."""

    name: str
    data: Any

    def encode(self) -> bytes:
        """Return it as it is sent. JSON in ASCII has no line ends."""
        return f"event: {self.name}\ndata: {to_json(self.data)}\n\n".encode()


class StreamSource(Protocol):
    """Looks at something for one listener. ``pause``: seconds until it wants to look again."""

    @property
    def pause(self) -> float:
        """Seconds until the next look."""

    def look(self) -> Sequence[StreamEvent]:
        """Return what is new; may wait for AWS. What it raises is told, and it is asked again."""


class Streams:
    """The streams of one console. ``open`` counts them.

    Args:
        context: the pipeline.
        most: at the same time.
    """

    def __init__(self, context: ConsoleContext, most: int = MOST) -> None:
        self.open = 0
        self.ending = asyncio.Event()
        self._context = context
        self._most = most

    def endpoint(self, watch: Callable[[ConsoleContext, PageRequest], StreamSource]) -> Endpoint:
        """Make an endpoint that streams what somebody sees who watches."""

        async def streaming(request: Request) -> Response:
            try:
                if self.open >= self._most:
                    hint = "Close some of its tabs."
                    raise Problem("busy", f"the console has {self._most} open streams", hint, retry=True)
                watching = watch(self._context, PageRequest(request.path_params, dict(request.query_params)))
            except Exception as error:  # noqa: BLE001 - the page shows whatever it is
                return refuse(problem_of(error))
            return StreamingResponse(self._counted(watching), media_type="text/event-stream")

        return streaming

    async def _counted(self, watching: StreamSource) -> AsyncIterator[bytes]:
        self.open += 1
        try:
            async for chunk in self._events(watching):
                yield chunk
        finally:
            self.open -= 1

    async def _events(self, watching: StreamSource) -> AsyncIterator[bytes]:
        yield b"retry: 2000\n\n"
        failed, sent = False, time.monotonic()
        while not self.ending.is_set():
            pause, events = _AGAIN, list[StreamEvent]()
            try:
                events += await run_in_threadpool(self._context.asked, watching.look)
                pause = watching.pause
            except Exception as error:  # noqa: BLE001 - the stream goes on, and the page shows it
                problem = problem_of(error)
                self._context.noticed(problem)
                yield StreamEvent("problem", {"error": problem.as_json()}).encode()
                failed, sent = True, time.monotonic()
                if problem.code in _FINAL:
                    yield StreamEvent("end", {}).encode()
                    return
            else:
                events = [StreamEvent("fine", {}), *events] if failed else events
                failed = False
            for event in events:
                yield event.encode()
                sent = time.monotonic()
            if time.monotonic() - sent > _SILENT:
                yield b": still here\n\n"
                sent = time.monotonic()
            await self._rest(pause)

    async def _rest(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self.ending.wait(), seconds)

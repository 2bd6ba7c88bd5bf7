"""Processes that run a handler, each by AWS's own runtime client, and one event at a time, as on Lambda."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from entrypoint import logs
from entrypoint.bridge.runtime_api import HandlerOutcome, LoopbackRuntimeApi
from entrypoint.failures import CannotServe, ExitStatus

_DIED = HandlerOutcome(failed=True, body=b'{"errorType":"Runtime.ExitError","errorMessage":"the process ended"}')


class HandlerFailed(Exception):
    """The handler raised, or its process died; the argument is what it said."""


class HandlerTooSlow(Exception):
    """The handler did not return in time; its process has been killed."""


class RuntimeProcess:
    """A process that is started again whenever it ends.

    Args:
        command: of the runtime.
        environ: of the process.
        folder: in which it runs.
        function_arn: that the function's context names.
    """

    def __init__(self, command: Sequence[str], environ: Mapping[str, str], folder: Path, function_arn: str) -> None:
        self._command = command
        self._environ = environ
        self._folder = folder
        self._function_arn = function_arn
        self._process: subprocess.Popen[bytes] | None = None
        self._api: LoopbackRuntimeApi | None = None
        self._ready = asyncio.Event()
        self._outcome: asyncio.Future[HandlerOutcome] | None = None

    async def start(self) -> HandlerOutcome | None:
        """Start the process and wait until it asks for an event; return what it said if it ended before."""
        loop = asyncio.get_running_loop()
        self._ready.clear()
        self._outcome = loop.create_future()
        self._api = api = LoopbackRuntimeApi(
            self._function_arn,
            lambda: _tell(loop, self._ready.set),
            lambda outcome: _tell(loop, self._end, api, outcome),
        )
        environ = {**self._environ, "AWS_LAMBDA_RUNTIME_API": api.address}
        process = subprocess.Popen(self._command, env=environ, cwd=self._folder)
        self._process = process

        def watch() -> None:
            process.wait()
            _tell(loop, self._end, api, _DIED)

        threading.Thread(target=watch, name="exit of a worker", daemon=True).start()
        waiting = asyncio.ensure_future(self._ready.wait())
        either: list[asyncio.Future[Any]] = [waiting, self._outcome]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        return self._outcome.result() if self._outcome.done() else None

    async def invoke(self, event: bytes, seconds: float) -> Any:
        """Return what the handler returns for an event.

        Raises:
            HandlerFailed: it raises, or its process ends.
            HandlerTooSlow: it takes longer.
        """
        if not self._running and (failure := await self.start()):
            raise HandlerFailed(failure.body.decode(errors="replace"))
        assert self._api  # noqa: S101 - for the type checker: it is started
        self._outcome = asyncio.get_running_loop().create_future()
        self._api.events.put((event, seconds))
        try:
            outcome = await asyncio.wait_for(self._outcome, seconds)
        except TimeoutError as error:
            self.stop()
            raise HandlerTooSlow from error
        if outcome.failed:
            raise HandlerFailed(outcome.body.decode(errors="replace"))
        return json.loads(outcome.body)

    def stop(self) -> None:
        """Kill the process, if there is one."""
        if self._process:
            self._process.kill()
            self._process = None
        if self._api:
            threading.Thread(target=self._api.end, name="end of a runtime API", daemon=True).start()
            self._api = None

    @property
    def _running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _end(self, api: LoopbackRuntimeApi, outcome: HandlerOutcome) -> None:
        if api is self._api and self._outcome and not self._outcome.done():
            self._outcome.set_result(outcome)


class RuntimePool:
    """Workers of one handler.

    Args:
        workers: all of them.
    """

    def __init__(self, workers: Sequence[RuntimeProcess]) -> None:
        self._workers = workers
        self._idle: asyncio.LifoQueue[RuntimeProcess] = asyncio.LifoQueue()

    async def start(self, seconds: float) -> None:
        """Start all.

        Raises:
            CannotServe: one does not start, or not in time.
        """
        try:
            started = await asyncio.wait_for(asyncio.gather(*(one.start() for one in self._workers)), seconds)
        except TimeoutError as error:
            raise CannotServe(ExitStatus.APP_TOO_SLOW, f"the app has not loaded within {seconds:.0f} s") from error
        if failure := next((one for one in started if one), None):
            told = f"the app does not load: {failure.body.decode(errors='replace')[:2000]}"
            raise CannotServe(ExitStatus.APP_DOES_NOT_LOAD, told)
        for one in self._workers:
            self._idle.put_nowait(one)

    async def invoke(self, event: Mapping[str, Any], seconds: float) -> Any:
        """Have a worker handle an event, as soon as one is free.

        Raises:
            HandlerFailed: see `RuntimeProcess.invoke`.
            HandlerTooSlow: likewise; the time begins when a worker is free, for which an event waits as long.
        """
        try:
            worker = await asyncio.wait_for(self._idle.get(), seconds)
        except TimeoutError as error:
            logs.say("handlers-busy", "warning", seconds=seconds)
            raise HandlerTooSlow from error
        try:
            return await worker.invoke(json.dumps(event).encode(), seconds)
        except asyncio.CancelledError:
            worker.stop()  # whoever asked has gone, and the next event must not get this one's answer
            raise
        except (HandlerFailed, HandlerTooSlow) as error:
            logs.say("handler-failed", "error", error=type(error).__name__, message=str(error)[:4000])
            raise
        finally:
            self._idle.put_nowait(worker)

    def stop(self) -> None:
        """Kill all."""
        for one in self._workers:
            one.stop()


def _tell(loop: asyncio.AbstractEventLoop, call: Any, *arguments: Any) -> None:
    with contextlib.suppress(RuntimeError):  # the loop has been closed: nobody waits any more
        loop.call_soon_threadsafe(call, *arguments)

"""The process that serves: loads the app and answers requests until it is told to stop."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
import threading
import traceback
from pathlib import Path
from typing import NoReturn

from entrypoint import logs
from entrypoint.applications import load
from entrypoint.bridge.application import Bridge
from entrypoint.edge import Application, Edge
from entrypoint.environment import search_path
from entrypoint.failures import CannotServe, ExitStatus
from entrypoint.place import Folders
from entrypoint.server import DrainingServer
from entrypoint.task import TaskDescription, parse

START_SECONDS = 120.0
"""How long an app may take to load; Lambda gives it 10 s, and then once more as long as a request may take."""


def main() -> NoReturn:
    """Serve as the arguments say: our own folder, orders and task as JSON."""
    ours, orders, task = sys.argv[1], json.loads(sys.argv[2]), parse(sys.argv[3])
    folders = Folders(Path(orders["root"]), Path(orders["runtime"]))
    listener = socket.socket(fileno=orders["fd"])
    sys.argv[:] = [task.handler]
    signal.signal(signal.SIGTERM, lambda *_: _end(ExitStatus.STOPPED))  # until there is something to drain
    try:
        _serve(task, folders, listener, ours)
    except CannotServe as failure:
        logs.say("cannot-serve", "error", message=str(failure), reason=failure.exit_status.name.lower())
        _end(failure.exit_status)
    _end(ExitStatus.STOPPED)


def _serve(task: TaskDescription, folders: Folders, listener: socket.socket, ours: str) -> None:
    if task.kind == "lambda":
        asyncio.run(_serve_bridge(task, folders, listener))
        return
    edge = Edge(None, task.drain_seconds)
    server = DrainingServer(edge, task.health_path)
    server.config.load()  # imports what uvicorn imports late
    hide_ours(ours)
    sys.path[:] = search_path(os.environ, folders, [one for one in sys.path if one and one != ours])
    edge.app = _loaded(task)
    asyncio.run(server.serve([listener]))


async def _serve_bridge(task: TaskDescription, folders: Folders, listener: socket.socket) -> None:
    bridge = Bridge(task, folders)
    try:
        await bridge.start(START_SECONDS)
        await DrainingServer(Edge(bridge, task.drain_seconds), task.health_path).serve([listener])
    finally:
        bridge.stop()


def hide_ours(ours: str) -> None:
    """Take our modules, and the packages packed with us, out of the app's sight: it may have others of these names."""
    for name, module in list(sys.modules.items()):
        if name != "__main__" and str(getattr(module, "__file__", None) or "").startswith(f"{ours}{os.sep}"):
            del sys.modules[name]


def _loaded(task: TaskDescription) -> Application:
    """Import the app in the time it has."""
    late = threading.Timer(START_SECONDS, _too_slow)
    late.daemon = True
    late.start()
    try:
        return load(task)
    except BaseException as error:
        told = f"the app does not load: {type(error).__name__}: {error}"
        logs.say("app-does-not-load", "error", message=told, traceback=traceback.format_exc())
        raise CannotServe(ExitStatus.APP_DOES_NOT_LOAD, told) from error
    finally:
        late.cancel()


def _too_slow() -> None:
    told = f"the app has not loaded within {START_SECONDS:.0f} s"
    logs.say("cannot-serve", "error", message=told, reason=ExitStatus.APP_TOO_SLOW.name.lower())
    _end(ExitStatus.APP_TOO_SLOW)


def _end(status: int) -> NoReturn:
    """ExitStatus, whatever threads the app has left behind."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)

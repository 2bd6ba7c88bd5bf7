"""From a described task to running processes: have the code, open the port, hand both over to who serves."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from collections.abc import Mapping
from pathlib import Path

from entrypoint import logs
from entrypoint.artefacts import Bucket, provide
from entrypoint.environment import environment
from entrypoint.failures import CannotServe, ExitStatus
from entrypoint.place import Folders, address, place
from entrypoint.processes import serve_by_many
from entrypoint.runtime import runtime_command
from entrypoint.task import VARIABLE, BadTask, TaskDescription, describe, parse

_ANCESTOR = str(Path(__file__).parents[1])  # a folder, or the zip
_SERVE = "import sys; sys.path[0] = sys.argv[1]; from entrypoint.serving import main; main()"
_QUEUE = 2048  # connections that wait while the app starts


def start(environ: Mapping[str, str]) -> int:
    """Run until the end; where one process is enough, this one becomes it.

    Raises:
        CannotServe: there is nothing to serve, or no way to.
    """
    folders = Folders.of(environ)
    if place(environ) == "lambda":
        command = runtime_command(folders, environ.get("_HANDLER", ""))
        os.execve(command[0], command, dict(environ))  # noqa: S606
    try:
        task = parse(environ[VARIABLE])
    except BadTask as error:
        raise CannotServe(ExitStatus.BAD_TASK, str(error)) from error
    signal.signal(
        signal.SIGTERM, lambda *_: sys.exit(ExitStatus.STOPPED)
    )  # the first process of a container ignores it
    logs.say("starting", function=task.function_name, version=task.function_version, kind=task.kind,
             code=task.code.sha256)  # fmt: skip
    listener = listen(*address(environ, task.port))
    provide(_bucket(), task, folders)
    logs.say("unpacked", task=str(folders.task), layers=len(task.layers))
    return _serve(task, listener, environment(task, environ, folders), folders)


def listen(host: str, port: int) -> socket.socket:
    """Open the port; what connects waits until the app has started.

    Raises:
        CannotServe: it cannot be opened.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(_QUEUE)
    except (OSError, OverflowError) as error:
        listener.close()
        raise CannotServe(ExitStatus.CANNOT_LISTEN, f"{host}:{port} cannot be listened on: {error}") from error
    return listener


def _bucket() -> Bucket:
    import boto3  # after all that can be wrong without it

    bucket: Bucket = boto3.client("s3")
    return bucket


def _serve(task: TaskDescription, listener: socket.socket, environ: Mapping[str, str], folders: Folders) -> int:
    os.set_inheritable(listener.fileno(), True)
    orders = {"fd": listener.fileno(), "root": str(folders.root), "runtime": str(folders.runtime)}
    # A process of its own: libraries are found by what LD_LIBRARY_PATH says when it starts, and no module of ours
    # that the app may have in another version is left in it.
    command = [sys.executable, "-u", "-c", _SERVE, _ANCESTOR, json.dumps(orders), describe(task)]
    if task.kind == "lambda" or task.processes == 1:
        os.chdir(folders.task)
        os.execve(sys.executable, command, dict(environ))  # noqa: S606
    return serve_by_many(command, environ, task.processes, listener.fileno(), folders.task)

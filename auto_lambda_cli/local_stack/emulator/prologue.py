"""Prepares a function's process. The launcher puts this text before the emulator's own program for functions."""

from __future__ import annotations

import importlib.util
import os
import re
import socket
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_OF_AWS = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws", ".on.aws")
_API = re.compile(r"https://([a-z0-9]+)\.execute-api\.[^/]+(/.*)?")
_LOOK_UPS = ("socket.getaddrinfo", "socket.gethostbyname")
_READS_ENDPOINT = (1, 31)  # botocore's first version that reads AWS_ENDPOINT_URL


def prepare(hidden: Sequence[str], execution_env: str) -> None:
    """Make this process more like Lambda's.

    Args:
        hidden: names of the emulator's own variables.
        execution_env: Lambda's name for the runtime.
    """
    own = Path.cwd().parent
    sys.path.remove(str(own))  # otherwise the folder `code` in it hides the module of that name
    sys.path[:] = [re.sub(r"^/var/task(?=/|$)", str(Path.cwd()), one) for one in sys.path]  # an own PYTHONPATH
    temporary = own / "tmp"  # as in Lambda, no two instances share it
    temporary.mkdir(exist_ok=True)
    tempfile.tempdir = str(temporary)
    for name in hidden:
        os.environ.pop(name, None)
    os.environ.update(AWS_EXECUTION_ENV=execution_env, TZ=":UTC", LANG="en_US.UTF-8")
    sys.meta_path.insert(0, _Botocore())
    sys.addaudithook(_stay_here)


def _stay_here(event: str, arguments: tuple[Any, ...]) -> None:
    """Refuse the names of the real AWS: what has not been pointed at the local stack must not work on an account."""
    if event in _LOOK_UPS:
        host = arguments[0]
    elif event == "socket.connect" and isinstance(arguments[1], tuple):
        host = arguments[1][0]
    else:
        return
    name = host.decode("latin-1") if isinstance(host, bytes) else str(host)
    if name.rstrip(".").lower().endswith(_OF_AWS):
        message = f"{name} is the real AWS, and functions of a local stack do not reach it"
        raise socket.gaierror(socket.EAI_NONAME, message)


class _Botocore:
    """Finds `botocore.client`, and points clients that would not lead to the local stack at it."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> Any:
        del path, target
        if name != "botocore.client":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec and spec.loader:
            spec.loader = _Patched(spec.loader)  # type: ignore[assignment]
        return spec


class _Patched:
    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def exec_module(self, module: Any) -> None:
        self._loader.exec_module(module)
        version = sys.modules["botocore"].__version__
        old = tuple(int(part) for part in version.split(".")[:2]) < _READS_ENDPOINT
        _use_endpoint(module.ClientCreator, old=old)


def _use_endpoint(creator: Any, *, old: bool) -> None:
    import inspect

    create = creator.create_client
    signature = inspect.signature(create)

    def create_client(*arguments: Any, **named: Any) -> Any:
        bound = signature.bind(*arguments, **named)
        given, own = bound.arguments.get("endpoint_url"), os.environ.get("AWS_ENDPOINT_URL", "")
        if given and (api := _API.fullmatch(given)):  # of a WebSocket: the app has it from the event
            bound.arguments["endpoint_url"] = f"{own}/_aws/execute-api/{api[1]}{api[2] or ''}"
        elif old and not given:
            bound.arguments["endpoint_url"] = own
        return create(*bound.args, **bound.kwargs)

    creator.create_client = create_client

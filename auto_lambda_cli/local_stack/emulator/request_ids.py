"""Lets an invocation's answer name the request that its log names, as AWS does; the emulator makes up two ids."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any

HEADER = "x-amzn-requestid"
Answer = tuple[int, dict[str, str], Any]
Answering = Callable[..., Awaitable[Answer]]
_logged: ContextVar[list[str] | None] = ContextVar("logged", default=None)
"""The ids of what is executed for the invocation that is being answered; None if it is no invocation."""


def patch() -> None:
    """Answer with the id that is logged."""
    from ministack import app  # type: ignore[import-not-found,unused-ignore]
    from ministack.services import lambda_svc  # type: ignore[import-not-found,unused-ignore]

    lambda_svc._execute_function_dispatch = noting(lambda_svc._execute_function_dispatch)
    lambda_svc._invoke = asking(lambda_svc._invoke)
    app._dispatch_service_request = naming(app._dispatch_service_request)


def noting(execute: Callable[..., Any]) -> Callable[..., Any]:
    """Note the id of an execution. It has a thread of its own, with a copy of the context of who wants it."""

    def noted(func: Any, config: Any, event: Any, request_id: str, started: float) -> Any:
        wanted = _logged.get()
        if wanted is not None:
            wanted.append(request_id)
        return execute(func, config, event, request_id, started)

    return noted


def asking(invoke: Answering) -> Answering:
    """Have the id of an invocation noted."""

    async def asked(*arguments: Any, **options: Any) -> Answer:
        _logged.set([])
        return await invoke(*arguments, **options)

    return asked


def naming(dispatch: Answering) -> Answering:
    """Name the noted id in the answer to an invocation."""

    async def named(*arguments: Any, **options: Any) -> Answer:
        token = _logged.set(None)
        try:
            status, headers, body = await dispatch(*arguments, **options)
            noted = _logged.get()
        finally:
            _logged.reset(token)
        return status, {**headers, HEADER: noted[0]} if noted else headers, body

    return named

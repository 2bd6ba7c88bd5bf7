"""Lets an alias share calls between two versions; the emulator keeps the weights and sends every call to one version.

Each call that went through such an alias is also counted by version, in the metrics that Lambda has for it.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

NAMESPACE = "AWS/Lambda"


@dataclass(frozen=True)
class SharedCall:
    """What a call was meant for (function and alias), and the version that it went to."""

    function: str
    alias: str
    version: str


_asked: ContextVar[SharedCall | None] = ContextVar("asked", default=None)


def patch() -> None:
    """Draw a version for each call from now on."""
    from ministack.services import cloudwatch, lambda_svc  # type: ignore[import-not-found,unused-ignore]

    _resolve_references(lambda_svc, random.random)
    _resolve_invocations(lambda_svc, random.random)
    count_versions(lambda_svc, cloudwatch.record_metric)


def drawn(alias: Mapping[str, Any], draw: float) -> str:
    """Return the version that a call goes to.

    Args:
        alias: as GetAlias tells it.
        draw: a random number, at least 0 and below 1.
    """
    weights = alias.get("RoutingConfig", {}).get("AdditionalVersionWeights") or {}
    for version, weight in weights.items():
        if draw < float(weight):
            return str(version)
        draw -= float(weight)
    return str(alias.get("FunctionVersion", "$LATEST"))


def _weighted(func: Any, qualifier: str | None) -> Mapping[str, Any] | None:
    alias = (func or {}).get("aliases", {}).get(qualifier or "")
    return alias if alias and alias.get("RoutingConfig", {}).get("AdditionalVersionWeights") else None


def _resolve_references(lambda_svc: Any, draw: Callable[[], float]) -> None:
    """Draw where APIs, queues, topics and others find the function to call, not where one is only described."""
    resolve = lambda_svc._effective_func_record_for_qualifier
    describing: ContextVar[bool] = ContextVar("describing", default=False)

    def drawing(func: Any, qualifier: str | None) -> Any:
        alias = _weighted(func, qualifier)
        if alias is None or describing.get():
            return resolve(func, qualifier)
        version = drawn(alias, draw())
        _asked.set(SharedCall(func["config"]["FunctionName"], str(qualifier), version))
        return resolve(func, version)

    def describe(function: Callable[..., Any]) -> Callable[..., Any]:
        def described(*given: Any, **more: Any) -> Any:
            token = describing.set(True)
            try:
                return function(*given, **more)
            finally:
                describing.reset(token)

        return described

    lambda_svc._effective_func_record_for_qualifier = drawing
    for name in ("_get_function", "_get_function_config"):
        setattr(lambda_svc, name, describe(getattr(lambda_svc, name)))


def _resolve_invocations(lambda_svc: Any, draw: Callable[[], float]) -> None:
    """Draw for the call Invoke, which looks aliases up by itself."""
    invoke = lambda_svc._invoke

    async def drawing(name: str, event: Any, headers: Any, path: str | None = None, query: Any = None) -> Any:
        qualifier = path or _first((query or {}).get("Qualifier"))
        alias = _weighted(lambda_svc._functions.get(name), qualifier)
        if alias is None:
            return await invoke(name, event, headers, path, query)
        version = drawn(alias, draw())
        _asked.set(SharedCall(name, str(qualifier), version))
        return await invoke(name, event, headers, version, query)

    lambda_svc._invoke = drawing


def _first(value: Any) -> str | None:
    return (value[0] if value else None) if isinstance(value, list) else value


def count_versions(lambda_svc: Any, record: Callable[..., None]) -> None:
    """Count calls that went through a weighted alias by version, and tell the function by which name it was called."""
    execute = lambda_svc._execute_function_dispatch

    def counted(func: Any, config: Mapping[str, Any], *given: Any, **more: Any) -> Any:
        call = _asked.get()
        if call is None or (call.function, call.version) != (config.get("FunctionName"), config.get("Version")):
            return execute(func, config, *given, **more)
        named = {**config, "FunctionArn": _aliased(str(config["FunctionArn"]), call)}
        began = time.monotonic()
        result = execute({**func, "config": named} if "config" in func else func, named, *given, **more)
        wrong = bool(result.get("error")) if isinstance(result, dict) else False
        dimensions = {"FunctionName": call.function, "Resource": f"{call.function}:{call.alias}"}
        dimensions["ExecutedVersion"] = call.version
        record(NAMESPACE, "Invocations", 1, "Count", dimensions)
        record(NAMESPACE, "Errors", int(wrong), "Count", dimensions)
        record(NAMESPACE, "Duration", (time.monotonic() - began) * 1000, "Milliseconds", dimensions)
        return result

    lambda_svc._execute_function_dispatch = counted


def _aliased(arn: str, call: SharedCall) -> str:
    own = f":{call.version}"
    return f"{arn.removesuffix(own)}:{call.alias}" if arn.endswith(own) else arn

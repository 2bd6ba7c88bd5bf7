"""Answers as JSON that every browser can read, whatever an uploader has written into it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from starlette.responses import Response

from auto_lambda_cli.console.problems import Problem


def to_json(data: Any) -> str:
    """Return JSON in ASCII: no lone surrogate can break its encoding, and no number is outside the standard."""
    try:
        return json.dumps(data, default=_other, allow_nan=False, separators=(",", ":"))
    except ValueError:  # a receipt may hold NaN, since Python reads it
        return json.dumps(_finite(data), default=_other, allow_nan=False, separators=(",", ":"))


def _other(value: object) -> Any:
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds")
    if isinstance(value, frozenset | set):
        return sorted(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is not for JSON")


def _finite(data: Any) -> Any:
    if isinstance(data, float):
        return data if math.isfinite(data) else None
    if isinstance(data, Mapping):
        return {name: _finite(value) for name, value in data.items()}
    if isinstance(data, list | tuple):
        return [_finite(value) for value in data]
    return data


def answer(data: Any, status: int = 200) -> Response:
    """Return a response with JSON."""
    return Response(to_json(data), status, media_type="application/json")


def refuse(problem: Problem) -> Response:
    """Return the response to a request that failed as a whole."""
    return answer({"error": problem.as_json()}, problem.status)


def in_parts(parts: Mapping[str, Any]) -> dict[str, Any]:
    """Return an answer whose parts fail each alone, with the time that their seconds count from."""
    return {"at": datetime.now(UTC), "parts": parts}

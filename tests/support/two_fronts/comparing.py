"""In what two answers differ, less what no client looks at."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from two_fronts.asking import Told

_OF_THE_WAY = {
    "date", "server", "connection", "content-length", "transfer-encoding", "x-amzn-requestid", "x-amz-request-id",
    "apigw-requestid", "x-amz-apigw-id",
}  # fmt: skip
_OF_A_SET = {"allow"}  # frameworks list it in any order
_TOLD_BY_BALANCERS = {
    "host", "connection", "content-length", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-port",
    "x-amzn-trace-id",
}  # fmt: skip


def aspects(one: Told, other: Told) -> frozenset[str]:
    """Return in what two answers differ; see `differences.Seen`."""
    return frozenset(_aspects(one, other))


def _aspects(one: Told, other: Told) -> Iterator[str]:
    if one.status != other.status:
        yield "status"
    ours, theirs = _headers(one), _headers(other)
    yield from (f"header {name}" for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name))
    here, there = _body(one), _body(other)
    if isinstance(here, dict) and isinstance(there, dict) and "headers" in here.keys() & there.keys():
        yield from (f"body.headers.{name}" for name in _unequal(here.pop("headers"), there.pop("headers")))
        yield from (f"body.{name}" for name in _unequal(here, there))
    elif here != there:
        yield "body"


def _unequal(one: dict[str, Any], other: dict[str, Any]) -> Iterator[str]:
    return (name for name in one.keys() | other.keys() if one.get(name) != other.get(name))


def _headers(told: Told) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in told.headers:
        if name.lower() not in _OF_THE_WAY:
            parts = sorted(value.split(", ")) if name.lower() in _OF_A_SET else [value]
            found.setdefault(name.lower(), []).extend(parts)
    return found


def _body(told: Told) -> Any:
    try:
        read = json.loads(told.body)
    except ValueError:
        return told.body
    if isinstance(read, dict) and isinstance(read.get("headers"), dict):
        kept = {name: value for name, value in read["headers"].items() if name not in _TOLD_BY_BALANCERS}
        return {**read, "headers": kept}
    return read

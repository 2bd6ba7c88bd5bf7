"""Tells whether a rule of an app may get the pipeline's own events, which tell of every app and who drops it."""

from __future__ import annotations

from typing import Any

from worker.records.event import DETAIL_TYPES, SOURCE


def may_match_pipeline(pattern: Any) -> bool:
    """Tell whether a pattern may match the pipeline's events: unless source or detail type are listed, and others."""
    if not isinstance(pattern, dict):
        return pattern is not None
    return all(
        _may_match(pattern[name], ours)
        for name, ours in (("source", {SOURCE}), ("detail-type", set(DETAIL_TYPES.values())))
        if name in pattern
    )


def _may_match(wanted: Any, ours: set[str]) -> bool:
    if not isinstance(wanted, list):
        return True
    return any(_may_be(one, ours) for one in wanted)


def _may_be(one: Any, ours: set[str]) -> bool:
    match one:
        case str():
            return one in ours
        case {"prefix": str(prefix), **rest} if not rest:
            return any(name.startswith(prefix) for name in ours)
    return True

"""Watches the fleet."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from auto_lambda_cli.console.context import ConsoleContext
from auto_lambda_cli.console.problems import LOGIN, Problem
from auto_lambda_cli.console.requests import PageRequest
from auto_lambda_cli.console.routes.fleet import FleetView
from auto_lambda_cli.console.streams import StreamEvent

_PAUSE, _QUIET = 2.0, 10.0  # seconds


class FleetWatch:
    """Watches the fleet for one listener.

    Args:
        context: the pipeline.
        clock: seconds, monotonic.
    """

    def __init__(self, context: ConsoleContext, _: PageRequest, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._view = FleetView(context)
        self._clock = clock
        self._told: Any = None
        self._when = 0.0

    @property
    def pause(self) -> float:
        """Seconds until the next look."""
        return _PAUSE

    def look(self) -> Sequence[StreamEvent]:
        """Return the fleet if something has happened, or if nothing was told for a while."""
        answer = self._view.parts()
        parts = answer["parts"]
        error = parts["queue"].get("error")
        if error and error["code"] in LOGIN:
            raise Problem(error["code"], error["message"], error["hint"])
        running = [{**build, "seconds": None} for build in parts["running"].get("value", ())]
        facts = {**parts, "running": (running, parts["running"].get("error"))}
        if facts == self._told and self._clock() - self._when < _QUIET:
            return []
        self._told, self._when = facts, self._clock()
        return [StreamEvent("fleet", answer)]

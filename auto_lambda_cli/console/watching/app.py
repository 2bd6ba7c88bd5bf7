"""Watches one app: its state, its newest receipt, and the log of its deployment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from auto_lambda import keys
from auto_lambda.redact import printable
from auto_lambda_cli.console.context import ConsoleContext
from auto_lambda_cli.console.problems import Problem
from auto_lambda_cli.console.requests import PageRequest
from auto_lambda_cli.console.routes.apps import app_parts
from auto_lambda_cli.console.streams import StreamEvent
from auto_lambda_cli.queries.log_tail import LogTail

_BUSY, _AT_REST = 1.0, 3.0  # seconds between two looks


class AppWatch:
    """Watches one app for one listener.

    Args:
        context: the pipeline.
        asked: names the app.
    """

    def __init__(self, context: ConsoleContext, asked: PageRequest) -> None:
        self._context = context
        self._app = asked.app
        self._told: Any = None
        self._tail: tuple[str, Any, LogTail] | None = None
        self._release: str | None = None
        self._busy = True

    @property
    def pause(self) -> float:
        """Seconds until the next look."""
        return _BUSY if self._busy else _AT_REST

    def look(self) -> Sequence[StreamEvent]:
        """Return the app's state if it has changed, and what was added to its log."""
        answer = app_parts(self._context, self._app)
        state, receipt = answer["parts"]["state"], answer["parts"]["receipt"]
        if (error := state.get("error")) and error["code"] != "no-such-app":
            raise Problem(error["code"], error["message"], error["hint"], retry=error["retry"])
        seen = state.get("value") or {}
        under_way = seen.get("under_way")
        self._busy = bool(under_way)
        events = []
        facts = ({**seen, "under_way": under_way and {**under_way, "seconds": None}}, error, receipt)
        if facts != self._told:
            events.append(StreamEvent("app", answer))
            self._told = facts
        release = (receipt.get("value") or {}).get("release")
        return [*events, *self._log(seen.get("key") or self._app.key, release)]

    def _log(self, key: str, release: str | None) -> list[StreamEvent]:
        store = self._context.services.store
        first = self._tail is None
        if self._tail is None or self._tail[:2] != (key, store):  # another key, or after a login
            tail = LogTail(store, self._context.target.bucket, keys.log_key(key))
            self._tail = (key, store, tail)
            first = True
        grown = self._tail[2].look(anew=first or release != self._release)
        self._release = release
        if grown is None:
            return []
        data = {"release": release, "text": printable(grown.text), "reset": grown.reset, "cut": grown.cut}
        return [StreamEvent("log", data)]

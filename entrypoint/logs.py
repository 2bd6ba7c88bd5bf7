"""Structured logs: one JSON object a line on standard output, as CloudWatch reads them."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Literal

Level = Literal["info", "warning", "error"]


def say(event: str, level: Level = "info", **fields: object) -> None:
    """Write a line, at once and in one piece."""
    time = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    line = {"time": time, "level": level, "event": event, **fields}
    sys.stdout.write(json.dumps(line, ensure_ascii=False, default=str) + "\n")
    sys.stdout.flush()


class ServerLog(logging.Handler):
    """Writes what the web server logs as lines of the same form."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, with its traceback."""
        told = {"traceback": self._traceback.formatException(record.exc_info)} if record.exc_info else {}
        level: Level = "error" if record.levelno >= logging.ERROR else "warning"
        say("server", level, message=record.getMessage(), **told)

    _traceback = logging.Formatter()

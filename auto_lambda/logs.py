"""Logging of the daemons: one JSON object per line on stderr, or coloured lines on a terminal.

Values bound with `bound` (the upload, the message) are in every line logged inside it, in that thread.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, cast

from auto_lambda.redact import Redactor, printable, secrets_of

# structlog loads rich for tracebacks that we don't use: 7 MB in an idle daemon.
_rich: object = sys.modules.setdefault("rich", None)  # type: ignore[arg-type]
import structlog  # noqa: E402
from structlog.contextvars import bound_contextvars as bound  # noqa: E402

if _rich is None:
    del sys.modules["rich"]

if TYPE_CHECKING:
    from structlog.typing import EventDict, Processor, WrappedLogger

__all__ = ["bound", "configure", "get"]

LARGEST_FILE = 20_000_000
"""Bytes of a log file; as many are kept of the one before."""


def get(name: str) -> Any:
    """Return a logger; ``name`` is the part of the program."""
    return structlog.get_logger(part=name)


def configure(level: str = "info", stream: TextIO | None = None, file: Path | None = None) -> None:
    """Write our own and all libraries' log lines; libraries log only warnings and errors.

    Args:
        level: the lowest level of our own lines.
        stream: takes every line; stderr by default.
        file: takes every line as well, for an agent that ships it. It begins anew at `LARGEST_FILE`.
    """
    stream = stream or sys.stderr
    if file and not stream.isatty():
        stream = cast("TextIO", _Both(stream, file))
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    tail = _tail(stream)
    structlog.configure(
        processors=[*shared, *tail],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=stream),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *tail],
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)


class _Both:
    """Writes lines to a stream and to a file. A file that cannot be written costs its lines, and nothing else."""

    def __init__(self, stream: TextIO, file: Path) -> None:
        self._stream = stream
        self._file = file
        self._told = False
        self._lock = threading.Lock()
        self.flush, self.isatty = stream.flush, stream.isatty

    def write(self, text: str) -> int:
        with self._lock:
            try:
                self._append(text.encode(errors="replace"))
            except OSError as error:
                self._tell(error)
        return self._stream.write(text)

    def _append(self, line: bytes) -> None:
        """Open the file for each line, so that whoever moves it away gets no more of them."""
        if self._file.exists() and self._file.stat().st_size + len(line) > LARGEST_FILE:
            self._file.replace(f"{self._file}.1")
        with self._file.open("ab") as file:
            file.write(line)

    def _tell(self, error: OSError) -> None:
        if not self._told:
            self._told = True
            self._stream.write(json.dumps({"event": "log file not written", "error": str(error)}) + "\n")


def _tail(stream: TextIO) -> list[Processor]:
    redact = Redactor(secrets_of())
    hide = _Hide(redact)
    if stream.isatty():
        hide = _Hide(lambda text: printable(redact(text)))  # JSON escapes what commands a terminal
        return [structlog.processors.format_exc_info, hide, structlog.dev.ConsoleRenderer()]
    return [structlog.processors.format_exc_info, hide, structlog.processors.JSONRenderer(default=str)]


class _Hide:
    def __init__(self, redact: Callable[[str], str]) -> None:
        self._redact = redact

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        return {key: self._hidden(value) for key, value in event.items()}

    def _hidden(self, value: Any) -> Any:
        match value:
            case str():
                return self._redact(value)
            case dict():
                return {key: self._hidden(item) for key, item in value.items()}
            case list() | tuple():
                return [self._hidden(item) for item in value]
            case BaseException():
                return self._redact(str(value))
        return value

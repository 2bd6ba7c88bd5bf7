"""Logging of the daemons: one JSON object per line on stderr, or coloured lines on a terminal.

Values bound with `bound` (the upload, the message) are in every line logged inside it, in that thread.
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any, TextIO

from auto_lambda.redact import Redactor, secrets_of

# structlog loads rich for tracebacks that we don't use: 7 MB in an idle daemon.
_rich: object = sys.modules.setdefault("rich", None)  # type: ignore[arg-type]
import structlog  # noqa: E402
from structlog.contextvars import bound_contextvars as bound  # noqa: E402

if _rich is None:
    del sys.modules["rich"]

if TYPE_CHECKING:
    from structlog.typing import EventDict, Processor, WrappedLogger

__all__ = ["bound", "configure", "get"]


def get(name: str) -> Any:
    """Return a logger; ``name`` is the part of the program."""
    return structlog.get_logger(part=name)


def configure(level: str = "info", stream: TextIO | None = None) -> None:
    """Write our own and all libraries' log lines to ``stream`` (stderr); libraries log only warnings and errors."""
    stream = stream or sys.stderr
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


def _tail(stream: TextIO) -> list[Processor]:
    hide = _Hide(Redactor(secrets_of()))
    if stream.isatty():
        console = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        return [hide, console]
    return [structlog.processors.format_exc_info, hide, structlog.processors.JSONRenderer(default=str)]


class _Hide:
    def __init__(self, redact: Redactor) -> None:
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

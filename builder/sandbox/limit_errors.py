"""Errors of commands that exceeded a limit, or that changed their own result."""

from __future__ import annotations

from pathlib import Path

from auto_lambda.errors import AppError, Code
from auto_lambda.processes.meters import Stopped
from builder.sandbox.result_file import read_plain
from builder.sandbox.sandbox import MEGABYTE, Outcome

_CODES: dict[Stopped, Code] = {
    "time": Code.TOOK_TOO_LONG,
    "output": Code.TOO_MUCH_OUTPUT,
    "memory": Code.OUT_OF_MEMORY,
    "processes": Code.TOO_MANY_PROCESSES,
    "disk": Code.TOO_MUCH_DISK,
}


def stopped_error(outcome: Outcome, doing: str, *, hint: str) -> AppError:
    """Return the error of a command that exceeded a limit.

    Args:
        outcome: how it ended.
        doing: what was going on, as a subject: "importing app.py".
        hint: what to do about it where there is more to say than the limit itself does.
    """
    assert outcome.stopped  # noqa: S101 - for the type checker
    limits = outcome.limits
    passed = {
        "time": f"was stopped after {outcome.seconds:.0f} seconds",
        "output": f"was stopped: it printed more than {limits.output // MEGABYTE} MB",
        "memory": f"was stopped: it took more than {limits.memory // MEGABYTE:,} MB of memory",
        "processes": f"was stopped: it ran more than {limits.processes:,} processes and threads at once",
        "disk": f"was stopped: it wrote more than {limits.disk // MEGABYTE:,} MB, or more than "
        f"{limits.file_size // MEGABYTE:,} MB into one file",
    }
    return AppError(_CODES[outcome.stopped], f"{doing} {passed[outcome.stopped]}", hint=hint)


def tampered(doing: str) -> AppError:
    """Return the error of a result file that our script did not write: no plain file, too large, another shape."""
    return AppError(
        Code.RESULT_TAMPERED,
        f"the result of {doing} was changed or replaced while the app's code ran",
        hint="Code that runs at import or in a hook must not touch files outside the app's own folder.",
    )


def read_result(path: Path, doing: str, max_bytes: int = 8 * MEGABYTE) -> str:
    """Read a text that a tool wrote where untrusted code could write, too.

    Raises:
        AppError: ``result-tampered``: no plain file, too large, or no UTF-8.
    """
    try:
        return read_plain(path, max_bytes).decode()
    except ValueError:
        raise tampered(doing) from None

"""What the uploader is told of a command that passed a limit or meddled with its own result. One place for all."""

from __future__ import annotations

from auto_lambda.errors import AppError, Code
from builder.sandbox.meters import Stopped
from builder.sandbox.sandbox import MEGABYTE, Outcome

_CODES: dict[Stopped, Code] = {
    "time": Code.TOOK_TOO_LONG,
    "output": Code.TOO_MUCH_OUTPUT,
    "memory": Code.OUT_OF_MEMORY,
    "processes": Code.TOO_MANY_PROCESSES,
    "disk": Code.TOO_MUCH_DISK,
}


def stopped_error(outcome: Outcome, doing: str, *, hint: str) -> AppError:
    """The error of an outcome that `Outcome.stopped` gives a reason for.

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
    """The error of a result file that is not what our own script wrote: no plain file, too large, another shape."""
    return AppError(
        Code.RESULT_TAMPERED,
        f"the result of {doing} was changed or replaced while the app's code ran",
        hint="Code that runs at import or in a hook must not touch files outside the app's own folder.",
    )

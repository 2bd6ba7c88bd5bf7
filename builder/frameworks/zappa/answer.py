"""Read the answer of zappa in the sandbox. Untrusted code may have written it, so its shape is checked first."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from auto_lambda.errors import AppError, Code
from builder.diagnosis.syntax import clean, syntax_error
from builder.diagnosis.tracebacks import last_lines, with_names
from builder.frameworks.zappa.events import Schedule
from builder.sandbox.limit_errors import stopped_error, tampered
from builder.sandbox.result_file import ResultFile
from builder.sandbox.sandbox import Outcome, read_json
from builder.template_limits import too_large

_LONGEST = 1000  # characters


class _Shape(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True)


class _Detail(_Shape):
    setting: str = ""
    traceback: str = ""
    file: str = ""
    line: int | None = None
    text: str = ""


class _Fault(_Shape):
    kind: str
    message: str
    detail: _Detail


class _Failed(_Shape):
    error: _Fault


class _Resource(_Shape):
    Type: str
    Properties: dict[str, Any]


class Packaged(_Shape):
    """The stage's settings, zappa's settings module, policies, schedules and API resources."""

    settings: dict[str, Any]
    settings_py: str
    policies: dict[str, Any]
    rules: list[Schedule]
    resources: dict[str, Any]


def read(outcome: Outcome, result: ResultFile, names: Mapping[Path, str], python: str) -> Packaged:
    """Read zappa's answer.

    Args:
        outcome: how the process ended.
        result: the file that it should have written.
        names: what folders are called in messages.
        python: minor that the app is compiled for.

    Raises:
        AppError: the app's failure, in the uploader's words.
        RuntimeError: the process did not even begin.
    """
    if outcome.stopped:
        raise stopped_error(
            outcome,
            "packaging",
            hint="Look at what the app's settings callback or prebuild_script do: they run without network.",
        )
    if not result.begun:
        raise RuntimeError(f"zappa did not start ({outcome.returncode}):\n{outcome.output[-2000:]}")
    try:
        answer = read_json(result.path)
        if isinstance(answer, dict) and "error" in answer:
            raise _failure(_Failed.model_validate(answer).error, outcome, names, python)
        packaged = Packaged.model_validate(answer)
        for resource in packaged.resources.values():
            _Resource.model_validate(resource)
    except (ValueError, RecursionError) as error:
        raise tampered("packaging") from error
    return packaged


def _failure(fault: _Fault, outcome: Outcome, names: Mapping[Path, str], python: str) -> AppError:
    detail = fault.detail
    message = clean(with_names(fault.message, names))
    if fault.kind == "syntax":
        return syntax_error(detail.file, detail.line, fault.message, detail.text, python)
    if fault.kind == "missing-file":
        return AppError(Code.MISSING_POLICY_FILE, message, hint="Put the file into the zip, or remove the setting.")
    if fault.kind == "too-large":
        return too_large(message[:_LONGEST])
    if fault.kind == "config":
        return AppError(
            Code.BAD_CONFIG,
            f"zappa does not accept the settings: {message}",
            hint="`zappa package` fails in the same way on your own machine: fix it there first.",
        )
    if fault.kind == "hook":
        lines = clean(last_lines(detail.traceback, names))
        return AppError(
            Code.COMPILE_FAILED,
            f"{message}\n{lines}".rstrip(),
            hint=f"Correct {clean(detail.setting)}; it runs in the app's folder, without credentials or network.",
        )
    if fault.kind == "ended":
        return AppError(Code.COMPILE_FAILED, f"the process ended {_how_it_ended(outcome)} while a hook of the app ran",
                        hint="Look for os._exit or a crash in the settings callback or prebuild_script.")  # fmt: skip
    hint = "Write module.object, with the module's path from the folder of the settings file, as in app.app."
    return AppError(Code.COMPILE_FAILED, message, hint=hint if fault.kind == "app" else "See the log for more.")


def _how_it_ended(outcome: Outcome) -> str:
    if outcome.returncode >= 0:
        return f"with exit status {outcome.returncode}"
    return f"by signal {-outcome.returncode} ({signal.strsignal(-outcome.returncode)})"

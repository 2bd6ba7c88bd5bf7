"""Imports what Lambda would import, in the sandbox and before anything in AWS changes."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from auto_lambda.tools import ToolEnvironments
from worker.build.sandbox import Command, Limits, Outcome, Sandbox, printable, read_json
from worker.build.stopped import stopped_error, tampered
from worker.errors import AppError, Code
from worker.frameworks.python2 import looks_like_python2
from worker.frameworks.tracebacks import last_lines, named
from worker.model import Say

_SCRIPT = Path(__file__).with_name("inside") / "import_check.py"
_LIMITS = Limits(wall=60, cpu=60)
_AWS = frozenset({"botocore", "boto3", "s3transfer"})


@dataclass(frozen=True, slots=True)
class Start:
    """How a function starts.

    Attributes:
        code: its unpacked code, working folder and first on the path.
        site: its dependencies.
        python: minor, as in ``"3.12"``.
        handler: ``module.function``.
        functions: setting -> dotted path of a function that will be called besides.
        environment: the function's own variables.
        unknowable: variables come from elsewhere, so that a failure proves nothing.
    """

    code: Path
    site: Path | None
    python: str
    handler: str
    functions: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    unknowable: bool = False


class _Error(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True)
    where: str
    type: str
    message: str = ""
    traceback: str = ""
    origins: list[str] = []
    file: str = ""
    line: int | None = None
    text: str = ""


class _Answer(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True)
    error: _Error | None = None


class ImportCheck:
    """Runs the check under a Python that has what Lambda's has.

    Args:
        sandbox: runs it.
        tools: hands out the ``runtime`` environment.
    """

    def __init__(self, sandbox: Sandbox, tools: ToolEnvironments) -> None:
        self._sandbox = sandbox
        self._tools = tools

    def check(self, start: Start, work: Path, say: Say) -> tuple[str, ...]:
        """Import the app; return warnings.

        Args:
            start: what to import, and how.
            work: an empty writable folder.
            say: takes what the app prints.

        Raises:
            AppError: ``app-does-not-import``, ``syntax-error`` or ``took-too-long``.
        """
        result = work / "result.json"
        outcome = self._sandbox.run(self._command(start, work, result), say)
        error = _read(result, outcome)
        if error is None:
            return ()
        shown = {start.code: "", **({start.site: "/opt/python/"} if start.site else {})}
        if start.unknowable or _AWS.intersection(error.origins):
            return (
                f"the app could not be imported without AWS, so only the deployment will show whether it starts: "
                f"{error.type}: {_clean(named(error.message, shown))}",
            )
        raise _syntax_error(error, start, shown) if error.line else _import_error(error, outcome, shown)

    def _command(self, start: Start, work: Path, result: Path) -> Command:
        python = self._tools.python("runtime", start.python)
        folders = [folder for folder in (start.code, start.site) if folder]
        request = work / "request.json"
        request.write_text(
            json.dumps({"path": [*map(str, folders)], "handler": start.handler, "functions": dict(start.functions)})
        )
        return Command(
            argv=(str(python), "-I", "-B", "-u", str(_SCRIPT), str(request), str(result)),
            cwd=start.code,
            env=_environment(start),
            readable=(python.parent.parent, _SCRIPT, *folders),
            writable=(work,),
            limits=_LIMITS,
        )


def _environment(start: Start) -> dict[str, str]:
    """Lambda's own variables, as far as an app may look at them while it is imported. No credentials."""
    return {
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",  # or a call to AWS waits for an answer that never comes
        "AWS_EXECUTION_ENV": f"AWS_Lambda_python{start.python}",
        "AWS_LAMBDA_FUNCTION_NAME": "import-check",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
        "LAMBDA_TASK_ROOT": str(start.code),
        "TZ": ":UTC",
        **start.environment,
    }


def _read(result: Path, outcome: Outcome) -> _Error | None:
    if outcome.stopped:
        raise stopped_error(
            outcome,
            "importing the app",
            hint="Lambda allows 10 seconds for it: do slow work and network calls inside functions, print little.",
        )
    if not os.path.lexists(result) and outcome.returncode:
        raise RuntimeError(f"the import check did not start ({outcome.returncode}):\n{outcome.output[-2000:]}")
    try:
        return _Answer.model_validate(read_json(result)).error
    except ValueError as error:
        raise tampered("the import check") from error


def _syntax_error(error: _Error, start: Start, shown: Mapping[Path, str]) -> AppError:
    return syntax_error(named(error.file, shown), error.line, error.message, error.text, start.python)


def syntax_error(file: str, line: int | None, message: str, text: str, python: str) -> AppError:
    """The error for a file that the target's Python cannot compile."""
    place = f"{_clean(file)}, line {line}" if line else _clean(file)
    said = f"{_clean(message)}\n    {_clean(text)[:300]}"
    if looks_like_python2(message, text):
        return AppError(
            Code.SYNTAX_ERROR,
            f"{place} is written in Python 2: {said}",
            hint=f"Port it to Python {python}, or leave it out by `exclude`; Lambda runs no Python 2.",
        )
    return AppError(
        Code.SYNTAX_ERROR,
        f"{place}: {said}",
        hint=f"Correct it for Python {python}, or leave it out by `exclude` if the app does not use it.",
    )


def _import_error(error: _Error, outcome: Outcome, shown: Mapping[Path, str]) -> AppError:
    what = "the app" if error.where == "handler" else f"the function of the setting {_clean(error.where)}"
    if error.type == "ended":
        return AppError(
            Code.APP_DOES_NOT_IMPORT,
            f"the process ended with status {outcome.returncode} while {what} was imported",
            hint="Look for os._exit, a crash in a native module, or too much memory used at import time.",
        )
    lines = _clean(last_lines(error.traceback, shown))
    return AppError(Code.APP_DOES_NOT_IMPORT, f"{what} cannot be imported:\n{lines}", hint=_hint(error))


def _hint(error: _Error) -> str:
    if error.type == "ModuleNotFoundError":
        return "Name the package that brings this module among the app's requirements, or put the module into the zip."
    if error.type == "KeyError" and "environ" in error.traceback:
        return "Set the variable in the framework's settings, or under [environment] in auto-lambda.toml."
    if error.type == "SystemExit":
        return 'Put what is a script under `if __name__ == "__main__":`.'
    return "The last lines say what went wrong: correct it, and see that the import works on your machine."


def _clean(text: str) -> str:
    """A stranger's text without control characters, bounded; of a long one, the end matters."""
    return "\n".join(printable(line) for line in text.splitlines())[-6000:]

"""Explain to the uploader why a function does not start."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from auto_lambda.errors import AppError, Code
from auto_lambda.runtimes import RUNTIMES
from builder.diagnosis.guarded_imports import absent_guarded_module
from builder.diagnosis.import_errors import remedy, with_unset
from builder.diagnosis.missing_libraries import advice, missing_by_name
from builder.diagnosis.missing_modules import add_hint, lost_submodule_hint
from builder.diagnosis.other_python import culprit_of, import_hint, mark
from builder.diagnosis.syntax import clean, syntax_error
from builder.diagnosis.tracebacks import last_lines, with_names
from builder.diagnosis.unset_variables import FailedImport, unset_variables
from builder.proof.audit import TASK
from builder.proof.hanging import place, server_line
from builder.proof.starts import Start

_MOST_ENTRIES = 20
_CRASH = re.compile(r"^(?:Fatal Python error: .*|  File \"(?P<file>.*)\", line \d+ in .*)$", re.MULTILINE)


_FRAME_FILE = re.compile(r'(?m)^  File "([^"\n]{1,4096})", line (\d{1,9})')


class ExceptionReport(BaseModel):
    """An exception as the runtime client reported it."""

    model_config = ConfigDict(strict=True, frozen=True)
    where: str
    type: str
    fault: str = ""
    message: str = ""
    traceback: str = ""
    origins: list[str] = []
    types: list[str] = []
    file: str = ""
    line: int | None = None
    text: str = ""
    missing: str | None = None
    absent: list[str] = []
    errno: int | None = None
    unset: str | None = None
    asked: list[str] = []
    messages: list[str] = []
    sought: list[str] = []
    lacking: list[str] = []


class AnswerReport(BaseModel):
    """What a function answered to a request."""

    model_config = ConfigDict(strict=True, frozen=True)
    status: int
    body: str


class Result(BaseModel):
    """The result of one start."""

    model_config = ConfigDict(strict=True, frozen=True)
    ended: str
    init_ms: int | None
    peak_mb: int
    status: int
    problem: ExceptionReport | None
    answer: AnswerReport | None = None
    printed: str = ""
    network: bool = False
    stack: str = ""


def failure(
    start: Start,
    result: Result,
    output: str,
    shown: Mapping[Path, str],
    python: str,
    init_seconds: float,
    code: Path,
) -> AppError:
    """Return the error for a start that failed.

    Args:
        start: what was started.
        result: how it went; not "started".
        output: what was printed.
        shown: folders by the name that the uploader knows.
        python: the target's minor.
        init_seconds: that it had to start.
        code: the folder that it was started from.
    """
    problem = result.problem
    if result.ended == "memory" or (problem and problem.type == "MemoryError"):
        return _out_of_memory(start, result)
    if result.ended in ("init-time", "event-time"):
        return _too_slow(start, result, shown, init_seconds)
    if problem:
        return _AppException(start, problem, shown, python, code).error()
    return _process_ended(start, result, output, shown)


def unhealthy(
    start: Start, problem: ExceptionReport, what: str, shown: Mapping[Path, str], python: str, code: Path
) -> AppError:
    """Return the error for an exception at a request; its code says what is known of the cause.

    Args:
        start: what was asked.
        problem: the exception.
        what: a summary of what was answered.
        shown: folders by the name that the uploader knows.
        python: the target's minor.
        code: the folder that it was started from.
    """
    return _AppException(start, problem, shown, python, code, summary=what).error()


def _out_of_memory(start: Start, result: Result) -> AppError:
    return AppError(
        Code.MEMORY_SIZE_TOO_SMALL,
        f"{start.function} was stopped while starting: it used {result.peak_mb} MB of memory, of {start.memory} MB",
        hint="Give it more (lambda_memory_size for chalice, memory_size for zappa, memory for a plain function), or "
        "import and load less.",
    )


def _too_slow(start: Start, result: Result, shown: Mapping[Path, str], init_seconds: float) -> AppError:
    if result.ended == "init-time":
        what = f"{start.function} had not started after {init_seconds:g} seconds, which is all that Lambda allows"
    else:
        what = f"{start.function} started, but had not answered its first request after {start.seconds} seconds"
    where = place(result.stack, shown)
    if line := server_line(result.stack, shown):
        hint = f'{line} starts a server when the app is imported: put that under `if __name__ == "__main__":`.'
        return AppError(Code.INIT_TOO_SLOW, f"{what}{where}", hint=hint)
    return AppError(
        Code.INIT_TOO_SLOW, f"{what}{where}",
        hint="Do slow work and network calls inside functions, not at the top level of a module (there is no network "
        "while a package is tested).",
    )  # fmt: skip


def _process_ended(start: Start, result: Result, output: str, shown: Mapping[Path, str]) -> AppError:
    if result.status < 0:
        number = -result.status
        how = f"was ended by signal {number} ({signal.strsignal(number)})"
        hint = "A native module crashed: try another release of it, or its wheel instead of a build of your own."
    else:
        how = f"ended its process with status {result.status}"
        hint = "Look for os._exit or exit() in what is imported: importing the app must only define it."
    lines = "\n".join(["", *islice(_crash_frames(output, shown), 12)])
    return AppError(Code.ENDED_AT_START, f"{start.function} {how} as it started{lines.rstrip()}", hint=hint)


def _crash_frames(output: str, shown: Mapping[Path, str]) -> Iterator[str]:
    """Yield the frames that Python printed when it crashed, innermost first."""
    for match in _CRASH.finditer(output):
        if match["file"] is None or any(Path(match["file"]).is_relative_to(folder) for folder in shown):
            yield clean(with_names(match[0], shown))


class _AppException:
    """An exception of the app, turned into an error."""

    def __init__(
        self,
        start: Start,
        problem: ExceptionReport,
        shown: Mapping[Path, str],
        python: str,
        code: Path,
        *,
        summary: str = "",
    ) -> None:
        self._asked = summary
        self._code = code
        self._start = start
        self._shown = shown
        self._python = python
        absent = None if problem.missing else self._absent_module(problem)
        self._problem = problem.model_copy(update={"missing": absent}) if absent else problem

    def _absent_module(self, problem: ExceptionReport) -> str | None:
        """Return the module whose absence an exception of another type comes from."""
        frames = _FRAME_FILE.findall(problem.traceback)
        if not frames or problem.type not in ("NameError", "AttributeError", "TypeError"):
            return None
        file, line = frames[-1]
        places = {folder: self._code for folder, name in self._shown.items() if not name}
        sites = [folder for folder, name in self._shown.items() if name]
        places |= dict.fromkeys(sites, sites[-1])
        inside = ((Path(file).relative_to(top), real) for top, real in places.items() if Path(file).is_relative_to(top))
        found = next((real / one for one, real in inside if ".." not in one.parts), None)
        return absent_guarded_module(problem.message, found, int(line), [*places.values()]) if found else None

    def error(self) -> AppError:
        problem = self._problem
        if problem.type in ("SyntaxError", "IndentationError", "TabError") and problem.line:
            file = with_names(problem.file, self._shown)
            error = syntax_error(file, problem.line, problem.message, problem.text, self._python)
            return mark(error, own=self._is_own(problem.file))
        if absent := self._handler_missing():
            return absent
        if library := missing_by_name(problem.messages, problem.types, problem.sought):
            return self._library_missing(library)
        unset = self._unset()
        known = remedy(
            problem.message, types=problem.types, origins=problem.origins, unset=unset, number=problem.errno,
            file=with_names(problem.file, self._shown),
        )  # fmt: skip
        files = _FRAME_FILE.findall(problem.traceback)
        own = not files or self._is_own(files[-1][0]) or problem.type == "SystemExit"
        error = self._with_traceback(*(known or (Code.APP_DOES_NOT_IMPORT, self._hint(own))), unset)
        return mark(error, missing=problem.missing, own=own, known=known is not None)

    def _unset(self) -> list[str]:
        """Return the variables that the app fails without, with those that its modules need as well."""
        problem = self._problem
        own = [one for one in map(self._own_line, _FRAME_FILE.findall(problem.traceback)) if one]
        failure = FailedImport(
            problem.message, problem.types, problem.origins, problem.unset, problem.asked, own[-1] if own else None
        )
        return unset_variables(failure, self._code, self._entries(), self._start.environment)

    def _own_line(self, frame: tuple[str, str]) -> tuple[Path, int] | None:
        tops = [Path(TASK), *(folder for folder, name in self._shown.items() if not name)]
        inside = (Path(frame[0]).relative_to(top) for top in tops if Path(frame[0]).is_relative_to(top))
        return next(((self._code / one, int(frame[1])) for one in inside if ".." not in one.parts), None)

    def _entries(self) -> list[Path]:
        frames = map(self._own_line, _FRAME_FILE.findall(self._problem.traceback))
        entries = dict.fromkeys(one[0] for one in frames if one and one[0].suffix == ".py")
        return [one for one in entries if one.is_file() and not one.is_symlink()][:_MOST_ENTRIES]

    def _library_missing(self, name: str) -> AppError:
        runtime = RUNTIMES[self._python]
        lines = clean(last_lines(self._problem.traceback, self._shown))
        return AppError(
            Code.MISSING_LIBRARY,
            f"{self._summary()}: it opens {clean(name)} by name, which is neither in the package nor in Lambda's "
            f"{runtime.identifier} ({runtime.system}):\n{lines}",
            hint=advice([name], runtime.system),
        )

    @staticmethod
    def _is_own(file: str) -> bool:
        return not file or Path(file).is_relative_to(TASK)

    def _with_traceback(self, code: Code, hint: str, unset: Sequence[str] = ()) -> AppError:
        # Of a call to AWS its place matters, not AWS's library under it.
        shown = {folder: name for folder, name in self._shown.items() if code != Code.NEEDS_AWS or not name}
        lines = clean(last_lines(self._problem.traceback, shown))
        return AppError(code, with_unset(f"{self._summary()}:\n{lines}", unset), hint=hint)

    def _summary(self) -> str:
        where = self._problem.where
        if self._asked:
            return self._asked
        if where == "handler":
            return f"{self._start.function} ({self._start.handler}) does not start"
        if where == "event":
            return f"{self._start.function} starts, but does not load the app at its first request"
        return f"{clean(where)} names {clean(self._start.called.get(where, ''))}, which cannot be imported"

    def _handler_missing(self) -> AppError | None:
        problem = self._problem
        path = self._start.handler if problem.where == "handler" else self._start.called.get(problem.where, "")
        absent = problem.missing is not None and path.startswith(f"{problem.missing}.")
        unnamed = problem.where in self._start.called and problem.type == "AttributeError"
        if not (absent or unnamed or problem.fault in ("Runtime.HandlerNotFound", "Runtime.MalformedHandlerName")):
            return None
        asker = self._start.function if problem.where == "handler" else problem.where
        return AppError(
            Code.HANDLER_MISSING,
            f"{clean(asker)} would call {clean(path)}, which is not in the package: {clean(problem.message)}",
            hint="Correct the name in the settings, or make sure that the module is in the zip and defines it.",
        )

    def _hint(self, own: bool) -> str:
        problem = self._problem
        if problem.missing:
            told = with_names(problem.traceback, self._shown)
            sites = [folder for folder, name in self._shown.items() if name]
            lost = lost_submodule_hint(problem.missing, sites[-1], culprit_of(told)) if sites else None
            return (
                import_hint("", problem.missing)
                or lost
                or add_hint(problem.missing, problem.absent, manifest="the app's requirements", place="the zip")
            )
        if problem.type == "SystemExit":
            return (
                "The app ended itself while it was imported: what it printed before stands in the log. Give it what it "
                'asks for, or put script code under `if __name__ == "__main__":`.'
            )
        told = f"{with_names(problem.traceback, self._shown)}\n{problem.message}"
        if hint := import_hint(told, own=own):
            return hint
        if self._asked:
            return (
                "The last lines say what went wrong: correct it. `health_path` in auto-lambda.toml chooses another "
                "path to ask for."
            )
        return "The last lines say what went wrong: correct it, and make sure that the import works on your machine."

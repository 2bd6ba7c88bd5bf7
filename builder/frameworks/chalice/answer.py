"""Read the answer of the sandboxed compiler. Untrusted code may have written it, so its shape is checked first."""

from __future__ import annotations

import dataclasses
import os
import re
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from auto_lambda.errors import AppError, Code
from auto_lambda.model import BucketNotification
from auto_lambda.runtimes import RUNTIMES
from builder.dependencies.optional_groups import hint_of_groups
from builder.diagnosis.guarded_imports import absent_guarded_module
from builder.diagnosis.import_errors import WHERE_TO_SET, remedy, with_unset
from builder.diagnosis.missing_libraries import advice, missing_by_name
from builder.diagnosis.missing_modules import add_hint, lost_submodule_hint
from builder.diagnosis.other_python import culprit_of, import_hint, mark
from builder.diagnosis.python2 import looks_like_python2
from builder.diagnosis.syntax import clean, copied_hint
from builder.diagnosis.unset_variables import FailedImport, unset_variables
from builder.frameworks.chalice.code import PACKAGED
from builder.frameworks.chalice.early import missing_policy_file
from builder.frameworks.chalice.sam import Expanded
from builder.frameworks.chalice.settings import variables
from builder.model import Draft, Source
from builder.sandbox.limit_errors import stopped_error, tampered
from builder.sandbox.result_file import ResultFile
from builder.sandbox.sandbox import Outcome, read_json
from builder.source.settings import read_chalice
from builder.template_limits import refused, too_large

_SLOW = "Lambda allows 10 seconds for it: do slow work and network calls inside the functions, print little."
_OWN_FOLDER = "chalicelib"
_LONGEST_PATH = 1000  # characters
_FUNCTION = "AWS::Lambda::Function"
_FRAME = re.compile(r'(?m)^  File "([^"\n]{1,1000})", line (\d{1,9})')
_ALWAYS_SET = ("AWS_CHALICE_CLI_MODE", "AWS_DEFAULT_REGION", "AWS_REGION", "HOME", "PATH", "TMPDIR")


class _Shape(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class _Notification(_Shape):
    bucket: str
    function: str
    events: list[str]
    prefix: str
    suffix: str


class Compiled(_Shape):
    """The compiled app: a SAM template, whether its API is traced, and the bucket events that SAM cannot express.

    ``functions`` are the logical ids by chalice's own names.
    """

    sam: dict[str, Any]
    tracing: bool
    notifications: list[_Notification]
    functions: dict[str, str] = {}


class _Error(_Shape):
    kind: Literal["ended", "exit", "import", "policy-file", "syntax", "too-deep", "too-large", "usage"]
    message: str
    file: str = ""
    line: int = 0
    text: str = ""
    missing: str | None = None
    absent: list[str] = []
    unset: str | None = None
    exit: str = ""
    types: list[str] = []
    origins: list[str] = []
    errno: int | None = None
    own: bool = True
    asked: list[str] = []
    vain: list[str] = []
    sought: list[str] = []


class _Failed(_Shape):
    error: _Error


@dataclass(frozen=True, slots=True)
class _Failure:
    error: _Error
    outcome: Outcome
    source: Source
    site: Path | None

    @property
    def folders(self) -> list[Path]:
        """Where modules lie: the app's own, and its dependencies."""
        return [self.source.root, *([self.site] if self.site else [])]


def read(outcome: Outcome, result: ResultFile, source: Source, site: Path | None = None) -> Compiled:
    """Read the compiler's answer.

    Args:
        outcome: how the compiler's process ended.
        result: the file that it should have written.
        source: what was compiled, for hints.
        site: the folder of its dependencies, for hints.

    Raises:
        AppError: the app's failure, in the uploader's words.
        RuntimeError: the compiler did not even begin.
    """
    if outcome.stopped:
        raise stopped_error(outcome, "importing app.py", hint=_SLOW)
    if not result.begun:
        raise RuntimeError(f"the compiler did not start (exit status {outcome.returncode}):\n{outcome.output[-2000:]}")
    try:
        answer = read_json(result.path)
        if isinstance(answer, dict) and "error" in answer:
            failure = _Failure(_Failed.model_validate(answer).error, outcome, source, site)
            raise _FAILURES[failure.error.kind](_with_absent_module(failure))
        return Compiled.model_validate(answer)
    except (ValueError, RecursionError) as error:
        raise tampered("compiling app.py") from error


def make_draft(compiled: Compiled, expanded: Expanded, code: Path) -> Draft:
    """Combine what chalice made and the expanded template.

    Args:
        compiled: what chalice made.
        expanded: its template.
        code: the folder that becomes the code zip.

    Raises:
        AppError: ``result-tampered``: it names a function that is not in the template.
    """
    functions = {name for name, one in expanded.template.Resources.items() if one.Type == _FUNCTION}
    named = {*(one.function for one in compiled.notifications), *compiled.functions.values()}
    if not {expanded.main, *named} <= functions:
        raise tampered("compiling app.py")
    return Draft(
        template=expanded.template.model_dump(),
        code=code,
        main=expanded.main,
        url=expanded.url,
        notifications=tuple(
            BucketNotification(one.bucket, one.function, tuple(one.events), one.prefix, one.suffix)
            for one in compiled.notifications
        ),
        functions=compiled.functions,
    )


def _ended(failure: _Failure) -> AppError:
    outcome = failure.outcome
    if outcome.returncode >= 0:
        how = f"with exit status {outcome.returncode}"
    else:
        how = f"by signal {-outcome.returncode} ({signal.strsignal(-outcome.returncode)})"
    return AppError(
        Code.ENDED_AT_START,
        f"the process ended {how} while app.py was imported",
        hint="Look for os._exit, a crash in a native module, or too much memory used at import time.",
    )


def _exited(failure: _Failure) -> AppError:
    error = failure.error
    return AppError(
        Code.APP_DOES_NOT_IMPORT,
        f"app.py ended the program while it was imported, by sys.exit({clean(error.exit)}):\n{clean(error.message)}",
        hint='Importing app.py must only define the app: put script code under `if __name__ == "__main__":`.',
    )


def _with_absent_module(failure: _Failure) -> _Failure:
    """Name the module whose absence an exception of another type comes from."""
    error, folders, root = failure.error, failure.folders, failure.source.root
    frames = _FRAME.findall(error.message)
    if error.missing or not frames:
        return failure
    name, line = frames[-1]
    file = next((file for folder in folders if _is_inside(name) and (file := folder / name).is_file()), None)
    if file is None:
        return failure
    shipped = [*folders, root / _OWN_FOLDER, root / "vendor"]
    missing = absent_guarded_module(error.message.rpartition("\n")[2], file, int(line), shipped)
    return dataclasses.replace(failure, error=error.model_copy(update={"missing": missing})) if missing else failure


def _import_failed(failure: _Failure) -> AppError:
    error, source = failure.error, failure.source
    if library := missing_by_name([error.exit], error.types, error.sought):
        return _library_missing(library, clean(error.message), source.python)
    unset = _unset(error, source)
    message = with_unset(f"app.py cannot be imported:\n{clean(error.message)}", unset)
    known = remedy(
        error.message, types=error.types, origins=error.origins, unset=unset, number=error.errno, file=error.file
    )
    code, hint = known or (Code.APP_DOES_NOT_IMPORT, _import_hint(failure))
    return mark(AppError(code, message, hint=hint), missing=error.missing, own=error.own, known=known is not None)


def _library_missing(name: str, message: str, python: str) -> AppError:
    runtime = RUNTIMES[python]
    return AppError(
        Code.MISSING_LIBRARY,
        f"app.py cannot be imported: it asks for {clean(name)} by name, which is not in Lambda's {runtime.identifier} "
        f"({runtime.system}):\n{message}",
        hint=advice([name], runtime.system),
    )


def _unset(error: _Error, source: Source) -> list[str]:
    """Return the variables that the app fails without, with those that app.py and its own modules need as well."""
    frames = [(source.root / name, int(line)) for name, line in _FRAME.findall(error.message) if _is_inside(name)]
    own = [one for one in frames if one[0].is_file()]
    failure = FailedImport(error.exit, error.types, error.origins, error.unset, error.vain, own[-1] if own else None)
    if not failure.is_possible:
        return []
    given = variables(read_chalice(source.root).data, source.config_stage)
    environment = {*given, *source.options.environment, *_ALWAYS_SET}
    return unset_variables(failure, source.root, [source.root / "app.py", *(one[0] for one in own)], environment)


def _is_inside(name: str) -> bool:
    return not Path(name).is_absolute() and ".." not in Path(name).parts


def _import_hint(failure: _Failure) -> str:
    error, source = failure.error, failure.source
    if not error.missing:
        if beside := _beside_app(error.file, source.root):
            return (
                f"chalice packages only {PACKAGED}: move {beside} into chalicelib/ and open it there, as in "
                f'Path(__file__).parent / "chalicelib" / "{Path(beside).name}".'
            )
        return import_hint(error.message, own=error.own) or (
            "The last lines say what went wrong: correct it, and make sure that `import app` works."
        )
    top = error.missing.partition(".")[0]
    if top == _OWN_FOLDER:
        return f"Put {error.missing.replace('.', '/')} into the zip: the code of {_OWN_FOLDER}/ is the app's own."
    if top.isidentifier() and _has(source.root, top):
        others = [name for name in error.absent if name != top and name.isidentifier() and _has(source.root, name)]
        return _move_hint([top, *others])
    own = [name for name in error.absent if name.isidentifier() and _has(source.root, name)]
    hint = (
        hint_of_groups([error.missing, *error.absent], source)
        or import_hint(error.message, clean(error.missing))
        or lost_submodule_hint(error.missing, failure.site, culprit_of(error.message))
        or add_hint(error.missing, error.absent, manifest="requirements.txt", place="chalicelib/", own=own)
    )
    return f"{hint} And {_move_hint(own)}" if own else hint


def _move_hint(modules: Sequence[str]) -> str:
    return f"chalice packages only {PACKAGED}: move {' and '.join(modules)} into chalicelib/ and import from there."


def _has(root: Path, module: str) -> bool:
    return (root / f"{module}.py").is_file() or (root / module).is_dir()


def _beside_app(name: str, root: Path) -> str | None:
    """Return the path of a file of the project that is missing only since chalice does not package it."""
    path = PurePosixPath(name)
    wanted = path.relative_to("/var/task") if path.is_relative_to("/var/task") else path
    if not name or len(name) > _LONGEST_PATH or wanted.is_absolute() or ".." in wanted.parts:
        return None
    return clean(str(wanted)) if os.path.lexists(root / wanted) else None


def _syntax_failed(failure: _Failure) -> AppError:
    error, source = failure.error, failure.source
    where = f"{clean(error.file)}, line {error.line}"
    if looks_like_python2(error.message, error.text):
        message = f"{where} is written in Python 2: {clean(error.message)}\n    {clean(error.text)}"
        hint = f"Port it to Python {source.python}; Lambda runs no Python 2."
    else:
        message = f"{where}: {clean(error.message)}\n    {clean(error.text)}"
        hint = copied_hint(error.message, error.file) or (
            f'Correct the line, or choose another Python than {source.python} for the app: python = "..." in '
            "auto-lambda.toml."
        )
    return mark(AppError(Code.SYNTAX_ERROR, message, hint=hint), own=error.own)


def _policy_file_missing(failure: _Failure) -> AppError:
    return missing_policy_file(clean(failure.error.message), failure.source.config_stage)


def _compile_failed(failure: _Failure) -> AppError:
    error = failure.error
    hint = "`chalice package out` fails in the same way on your own machine: fix it there first."
    if error.asked:
        hint = f"Set {clean(', '.join(error.asked))} {WHERE_TO_SET}, if that is what is missing: the app asks for it."
    return AppError(Code.COMPILE_FAILED, f"chalice cannot compile the app:\n{clean(error.message)}", hint=hint)


def _too_large(failure: _Failure) -> AppError:
    return too_large(clean(failure.error.message)[:_LONGEST_PATH])


def _too_deep(failure: _Failure) -> AppError:
    del failure
    return refused("it is nested too deeply")


_FAILURES: Mapping[str, Callable[[_Failure], AppError]] = {
    "ended": _ended,
    "exit": _exited,
    "import": _import_failed,
    "policy-file": _policy_file_missing,
    "syntax": _syntax_failed,
    "too-deep": _too_deep,
    "too-large": _too_large,
    "usage": _compile_failed,
}

"""Import a chalice app as Lambda would, and explain to the uploader why it cannot be imported."""

from __future__ import annotations

import ast
import contextlib
import ctypes.util
import dataclasses
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import re
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

import chalice.app

LAMBDA_PACKAGES = {"boto3", "botocore", "s3transfer", "jmespath", "dateutil", "urllib3", "six"}
"""What Lambda's own Python offers beside the standard library: an app may import it without shipping it."""

OURS = {str(Path(__file__).parent), str(Path(__file__).parents[2] / "inside")}
"""Folders of this program."""

AWS_PACKAGES = {"boto3", "botocore", "s3transfer"}
LAST_LINES = 25
CODE = r"^\$(?:LAMBDA_TASK_ROOT|\{LAMBDA_TASK_ROOT\})(?=/|$)"  # no shell replaces it
MOST_NAMED = 20
LONGEST_NAME = 200  # characters
OF_ABSENCE = (ModuleNotFoundError, NameError, AttributeError, TypeError)
"""Also what code raises that imports a module only where it is there, and then takes it for granted."""


class CompileError(Exception):
    """The app cannot be compiled; ``details`` becomes the result's ``error``."""

    def __init__(self, kind: str, message: str, **more: Any) -> None:
        super().__init__(message)
        self.details = {"kind": kind, "message": message, **more}


class LambdaPackages(importlib.abc.MetaPathFinder):
    """Finds AWS's libraries in this program's environment, and nothing else of it."""

    def __init__(self, folders: Sequence[str]) -> None:
        self._folders = folders

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Find whole packages; what is in them is found through them."""
        if path is not None or fullname not in LAMBDA_PACKAGES:
            return None
        return importlib.machinery.PathFinder.find_spec(fullname, self._folders, target)


@contextlib.contextmanager
def lambda_surroundings(code: Path, site: Path | None) -> Iterator[None]:
    """Show the app only the modules that it has on Lambda: its own, its layer's, chalice and AWS's libraries.

    What this program needed for itself is hidden meanwhile, so that a forgotten requirement is found missing, and
    a pinned one is not replaced by ours.
    """
    shipped = [code, *own_path(code), *([site] if site else [])]
    tools = {name: module for name, module in sys.modules.items() if is_tool(module) and not offered(name, shipped)}
    path = sys.path[:]
    for name in tools:
        del sys.modules[name]
    sys.path[:] = [str(folder) for folder in shipped] + [
        entry for entry in path if "site-packages" not in entry and entry not in OURS
    ]
    last = LambdaPackages([entry for entry in path if "site-packages" in entry])
    sys.meta_path.append(last)
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):  # the app took it out
            sys.meta_path.remove(last)
        sys.path[:] = path
        for name in [name for name in sys.modules if top(name) in LAMBDA_PACKAGES and not offered(name, shipped)]:
            del sys.modules[name]  # chalice may still need its own
        sys.modules.update(tools)


def own_path(code: Path) -> list[Path]:
    """Return those folders of the code that the app's own PYTHONPATH names."""
    entries = [re.sub(CODE, "/var/task", entry) for entry in os.environ.get("PYTHONPATH", "").split(":")]
    folders = [code / entry.removeprefix("/var/task").lstrip("/") for entry in entries if is_in_code(entry)]
    return [Path(os.path.normpath(folder)) for folder in folders]


def is_in_code(entry: str) -> bool:
    """Return whether an entry of PYTHONPATH is relative to the code, or is its place on Lambda."""
    return bool(entry) and (not entry.startswith(("/", "$")) or f"{entry}/".startswith("/var/task/"))


def is_tool(module: ModuleType) -> bool:
    """Return whether a loaded module belongs to the compiler, or to its environment, rather than to Python itself."""
    file = getattr(module, "__file__", None) or ""
    return f"{os.sep}site-packages{os.sep}" in file or str(Path(file).parent) in OURS


def offered(name: str, shipped: list[Path]) -> bool:
    """Return whether the app gets the module from here: chalice always, AWS's libraries unless it ships them."""
    package = top(name)
    ships = any((folder / package).is_dir() or (folder / f"{package}.py").is_file() for folder in shipped)
    return package == "chalice" or (package in LAMBDA_PACKAGES and not ships)


def top(name: str) -> str:
    """Return the top-level package of a module."""
    return name.partition(".")[0]


def import_app(request: Mapping[str, Any], names: PathNames) -> chalice.app.Chalice:
    """Import ``app`` from ``app.py``.

    Raises:
        Refused: it cannot be imported, or has no such name.
    """
    site = Path(request["site"]) if request["site"] else None
    with lambda_surroundings(Path(request["code"]), site):
        try:
            sought = watch_libraries()
            module = importlib.import_module("app")
        except SyntaxError as error:
            raise syntax_error(error, names) from error
        except BaseException as error:
            raised = import_error(error, names)
            raised.details["sought"] = sought[-MOST_NAMED:]
            raise raised from error
    found = getattr(module, "app", None)
    if not isinstance(found, chalice.app.Chalice):
        what = "defines no name `app`" if found is None else f"defines `app` as a {type(found).__name__}"
        raise CompileError("usage", f"app.py {what}: chalice needs `app = Chalice(app_name=...)` there")
    return found


def syntax_error(error: SyntaxError, names: PathNames) -> CompileError:
    """Report the compiler's message and the line that it is about."""
    message = names.shorten(error.msg or "invalid syntax")
    file = names.shorten(error.filename or "app.py")
    own = names.is_own(error.filename or "app.py")
    text = (error.text or "").strip()[:300]
    return CompileError("syntax", message, file=file, line=error.lineno or 0, text=text, own=own)


def import_error(error: BaseException, names: PathNames) -> CompileError:
    """Report a traceback that begins in the app. An error raised by chalice's decorators is a wrong use of them."""
    report = traceback.TracebackException.from_exception(error)
    # Of a call to AWS its place matters, not AWS's library under it.
    aws = bool(AWS_PACKAGES & origins(report))
    for one in chain(report):
        kept = [f for f in one.stack if names.is_apps(f.filename) and (names.is_own(f.filename) or not aws)]
        one.stack = traceback.StackSummary.from_list(kept)
    lines = names.shorten("".join(report.format())).strip().splitlines()
    frames = list(traceback.walk_tb(error.__traceback__))
    innermost = frames[-1][0].f_globals.get("__name__", "") if frames else ""
    if top(innermost) == "chalice" and not isinstance(error, ImportError):
        kind = "usage"
    else:
        kind = "exit" if isinstance(error, SystemExit) else "import"
    message = "\n".join(lines[-LAST_LINES:])
    own = not frames or names.is_own(frames[-1][0].f_code.co_filename)
    details = known(error, innermost, report, names)
    return CompileError(kind, message, exit=names.shorten(str(error)), own=own, **details)


def known(
    error: BaseException, innermost: str, report: traceback.TracebackException, names: PathNames
) -> dict[str, Any]:
    """Collect what identifies an exception's remedy."""
    types = [one.exc_type for one in chain(report) if one.exc_type]
    system = error if isinstance(error, OSError) else None
    return {
        "missing": error.name if isinstance(error, ModuleNotFoundError) else None,
        "absent": absent_modules(error) if isinstance(error, OF_ABSENCE) else [],
        "unset": str(error.args[0]) if isinstance(error, KeyError) and innermost == "os" else None,
        "types": sorted({one.__name__ for one in types}),
        "origins": sorted(origins(report)),
        "errno": getattr(system, "errno", None),
        "file": names.shorten(str(getattr(system, "filename", None) or "")),
    }


@dataclasses.dataclass(frozen=True)
class AskedVariables:
    """Variables that are asked for and not set.

    Attributes:
        own: those that the app's own code asks for.
        vain: those that any code asks for without a default.
    """

    own: list[str] = dataclasses.field(default_factory=list)
    vain: list[str] = dataclasses.field(default_factory=list)


def watch_variables(names: PathNames) -> AskedVariables:
    """Return what will hold the variables that are asked for from now on, and that are not set."""
    found = AskedVariables()
    real = os._Environ.__getitem__

    def asked(environ: Any, name: Any) -> Any:
        try:
            return real(environ, name)
        except KeyError:
            if str(name).isidentifier():
                if names.is_own(asker()):
                    found.own.append(str(name))
                if sys._getframe(1).f_globals.get("__name__") != "collections.abc":
                    found.vain.append(str(name))
            raise

    def got(environ: Any, name: Any, default: Any = None) -> Any:
        value = Mapping.get(environ, name, default)
        if value is None and str(name).isidentifier():
            found.vain.append(str(name))
        return value

    os._Environ.__getitem__ = asked  # type: ignore[method-assign]
    os._Environ.get = got  # type: ignore[method-assign,assignment]
    return found


def watch_libraries() -> list[str]:
    """Return a list that will hold the libraries that are asked for by name from now on, and that are not there."""
    found: list[str] = []
    real = ctypes.util.find_library

    def asked(name: Any) -> Any:
        path = real(name)
        if path is None:
            found.append(str(name)[:LONGEST_NAME])
        return path

    ctypes.util.find_library = asked
    return found


def asker() -> str:
    """Return the file of the code that asked for a variable, whichever way."""
    frame: FrameType | None = sys._getframe(2)
    while frame and (
        frame.f_globals.get("__name__") in ("os", "collections.abc")  # the name of `_collections_abc`, too
        or frame.f_code.co_filename == __file__
    ):
        frame = frame.f_back
    return frame.f_code.co_filename if frame else os.sep


def absent_modules(error: BaseException) -> list[str]:
    """Return the modules that the files of a failed import miss, in the order in which they import them."""
    files = dict.fromkeys(frame.f_code.co_filename for frame, _ in traceback.walk_tb(error.__traceback__))
    absent = []
    for file in files:
        with contextlib.suppress(OSError, ValueError, SyntaxError, RecursionError, MemoryError):
            absent += [name for name in imported_at_once(ast.parse(Path(file).read_bytes())) if not is_there(name)]
    return list(dict.fromkeys(absent))[:MOST_NAMED]


def imported_at_once(module: ast.Module) -> list[str]:
    """Return the top-level modules that a module imports unconditionally."""
    names = []
    for node in module.body:
        if isinstance(node, ast.Import):
            names += [one.name for one in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.append(node.module or "")
    return [top(name) for name in names]


def is_there(name: str) -> bool:
    """Return whether a top-level module is loaded or can be found."""
    try:
        return name in sys.modules or importlib.util.find_spec(name) is not None
    except Exception:  # an importer of the app's own
        return True


def origins(report: traceback.TracebackException) -> set[str]:
    """Return the top-level packages of the types of an exception and its causes."""
    return {top(one.exc_type.__module__) for one in chain(report) if one.exc_type}


def chain(report: traceback.TracebackException) -> Iterator[traceback.TracebackException]:
    """Yield an exception's report and those of its causes."""
    current: traceback.TracebackException | None = report
    while current:
        yield current
        current = current.__cause__ or current.__context__


class PathNames:
    """Shortens paths to what the uploader knows."""

    def __init__(self, request: Mapping[str, Any]) -> None:
        self._own = [request["code"], request["root"]]
        self._apps = [path for path in (request["code"], request["root"], request["site"]) if path]
        tools = [str(Path(chalice.__file__).parent.parent), str(Path(os.__file__).parent), sys.prefix, sys.base_prefix]
        named = [(path, "") for path in self._apps] + [(path, "") for path in tools]
        self._named = sorted(named, key=lambda pair: -len(pair[0]))

    def is_apps(self, filename: str) -> bool:
        """Return whether a file belongs to the app or its dependencies."""
        return any(filename.startswith(path + os.sep) for path in self._apps)

    def is_own(self, filename: str) -> bool:
        """Return whether a file is the app's own code, not a dependency's or Python's."""
        return not filename.startswith(os.sep) or any(filename.startswith(path + os.sep) for path in self._own)

    def shorten(self, text: str) -> str:
        """Remove folders of this machine from a text."""
        for path, name in self._named:
            text = text.replace(path + os.sep, name).replace(path, name or ".")
        return text

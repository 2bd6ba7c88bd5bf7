"""Run AWS's own runtime client, and report exceptions in full, not only what Lambda logs.

Libraries that the app opens by name are found as on Lambda: what only this machine has is not. An event
``{"proof/called": {name: dotted path}}`` checks that functions exist which a framework's handler looks up only when
their event arrives.
"""

from __future__ import annotations

import ast
import contextlib
import faulthandler
import functools
import http.client
import importlib
import importlib.machinery
import importlib.util
import json
import os
import pwd
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

from awslambdaric import bootstrap
from awslambdaric.lambda_runtime_client import LambdaRuntimeClient

Handler = Callable[[Any, Any], Any]
SYSTEM_FOLDERS = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/local/lib64")
MOST_ABSENT = 20
MOST_ASKED = 200
OF_ABSENCE = (ModuleNotFoundError, NameError, AttributeError, TypeError)
"""Also what code raises that imports a module only where it is there, and then takes it for granted."""


NETWORK_EVENTS = frozenset({"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"})
network_used: list[str] = []


def main() -> None:
    """Run the runtime: load the handler, then ask for events until killed."""
    faulthandler.enable()
    tell_stack()
    sys.addaudithook(note_network)
    os.environ["PYTHONPATH"] = os.environ.pop("_PROOF_PYTHONPATH")
    if Path(sys.path[0]) == Path(__file__).parent:
        del sys.path[0]  # the folder of this program
    sys.meta_path.insert(0, Libraries(os.environ.pop("_PROOF_LIBRARIES").split()))
    # The app may have set PYTHONPATH: the code is found first all the same, and the runtime last.
    task, runtime = os.environ["LAMBDA_TASK_ROOT"], os.environ["LAMBDA_RUNTIME_DIR"]
    sys.path[:0] = dict.fromkeys([task, *os.environ["PYTHONPATH"].split(":"), runtime])
    bootstrap._get_handler = report_load_errors(bootstrap._get_handler)
    watch_variables()
    name_user()
    bootstrap.run(os.environ["_HANDLER"], LambdaRuntimeClient(os.environ["AWS_LAMBDA_RUNTIME_API"]))


def tell_stack() -> None:
    """Have the main thread's stack written when the server asks where the function hangs."""
    pipe = int(os.environ.pop("_PROOF_STACK"))
    os.set_inheritable(pipe, False)
    faulthandler.register(signal.SIGUSR1, file=pipe, all_threads=False)


ASKED: list[str] = []
"""The variables that were asked for without a default, and are not set."""


def watch_variables() -> None:
    """Note from now on which variables are asked for in vain."""
    real = os._Environ.__getitem__

    def asked(environ: Any, name: Any) -> Any:
        try:
            return real(environ, name)
        except KeyError:
            if sys._getframe(1).f_globals.get("__name__") != "collections.abc":  # where a default may be
                ASKED.append(str(name))
            raise

    def got(environ: Any, name: Any, default: Any = None) -> Any:
        value = Mapping.get(environ, name, default)
        if value is None:
            ASKED.append(str(name))
        return value

    os._Environ.__getitem__ = asked  # type: ignore[method-assign]
    os._Environ.get = got  # type: ignore[method-assign,assignment]


def name_user() -> None:
    """Give the user a name and a home as on Lambda, where the sandbox's has none."""
    real = pwd.getpwuid

    def known(uid: int) -> pwd.struct_passwd:
        try:
            return real(uid)
        except KeyError:
            if uid != os.getuid():
                raise
            return pwd.struct_passwd(("sbx_user1051", "x", uid, os.getgid(), "", "/home/sbx_user1051", "/sbin/nologin"))

    pwd.getpwuid = known


class Libraries:
    """Finds libraries by name as Lambda would, by way of each module that opens them: ctypes and cffi.

    Where the sandbox isolates, those of this machine are hidden as well.

    Args:
        names: the file names of those that Lambda has.
    """

    missed: ClassVar[list[str]] = []
    lacking: ClassVar[list[str]] = []  # of Lambda's own: this machine's fault

    def __init__(self, names: Sequence[str]) -> None:
        self._names = frozenset(names)
        # As the loader read it: what an app changes later comes too late.
        self._searched = [one for one in os.environ["LD_LIBRARY_PATH"].split(":") if one not in SYSTEM_FOLDERS]
        self._opening = {"ctypes": "_dlopen", "_cffi_backend": "load_library"}

    def find_spec(self, name: str, path: Any, target: ModuleType | None = None) -> Any:
        """Find those modules, to be changed as soon as they are loaded."""
        if name not in self._opening and name != "ctypes.util":
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec and spec.loader:
            loader: Any = spec.loader
            loader.exec_module = self._then_changed(loader.exec_module)
        return spec

    def _then_changed(self, execute: Callable[[ModuleType], None]) -> Callable[[ModuleType], None]:
        def execute_and_change(module: Any) -> None:
            execute(module)
            if module.__name__ == "ctypes.util":
                module.find_library = self.find_library
            else:
                name = self._opening[module.__name__]
                setattr(module, name, self._watched(getattr(module, name)))

        return execute_and_change

    def find_library(self, name: str) -> str | None:
        """Stand in for ctypes' own, which on Lambda has only the loader's cache: no compiler, no linker."""
        found = min((one for one in self._names if one.startswith(f"lib{name}.so")), default=None)
        if not found:
            self.missed.append(name)
        return found

    def _watched(self, opener: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(opener)
        def opened(name: Any, *arguments: Any) -> Any:
            path = os.fsdecode(name) if isinstance(name, str | bytes | os.PathLike) else None
            if path and self._only_here(path):
                self.missed.append(path)
                raise OSError(f"{path}: cannot open shared object file: No such file or directory")
            try:
                return opener(name, *arguments)
            except OSError:
                if path and path in self._names:
                    self.lacking.append(path)
                raise

        return opened

    def _only_here(self, path: str) -> bool:
        """Return whether a library is at most this machine's, neither Lambda's nor the package's."""
        folder, name = os.path.split(path)
        if name in self._names:
            return False
        if folder:
            return folder in SYSTEM_FOLDERS or folder.endswith("-linux-gnu")
        if any(Path(one, name).exists() for one in self._searched):
            return False
        loaded = Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace")
        return f"/{name}\n" not in loaded


def report_load_errors(load: Callable[[str], Handler]) -> Callable[[str], Handler]:
    """Wrap the loader of handlers, so that errors while loading and later at events are reported."""

    @functools.wraps(load)
    def loaded(path: str) -> Handler:
        try:
            return report_event_errors(load(path))
        except BaseException as error:
            report(
                {"where": "handler", "fault": getattr(error, "exception_type", ""), **describe(original_error(error))}
            )
            raise

    return loaded


def report_event_errors(handler: Handler) -> Handler:
    """Wrap a handler, so that errors are reported and our own question is answered."""

    def answer(event: Any, context: Any) -> Any:
        where = "event"
        try:
            if not (isinstance(event, dict) and "proof/called" in event):
                return handler(event, context)
            for where, path in event["proof/called"].items():  # noqa: B007 - reported when it fails
                check_exists(path)
        except BaseException as error:
            report({"where": where, **describe(error)})
            raise
        return None

    return answer


def check_exists(path: str) -> None:
    """Import the module of a dotted path, which must have the named attribute."""
    name, _, attribute = path.rpartition(".")
    if not hasattr(importlib.import_module(name), attribute):
        raise AttributeError(f"module {name!r} has no {attribute!r}")


def original_error(error: BaseException) -> BaseException:
    """Return the app's exception behind the runtime client's own, whose traceback says little."""
    return (error.__context__ or error) if hasattr(error, "exception_type") else error


def describe(error: BaseException) -> dict[str, Any]:
    """Describe an exception, as JSON."""
    known: dict[str, Any] = {
        "type": type(error).__name__,
        "message": str(error),
        "traceback": "".join(traceback.format_exception(error)),
        "origins": sorted({type(one).__module__.partition(".")[0] for one in chain(error)}),
        "types": sorted({type(one).__name__ for one in chain(error)}),
    }
    if isinstance(error, SyntaxError):
        known |= {"file": error.filename or "", "line": error.lineno, "text": (error.text or "").strip()}
    if isinstance(error, ModuleNotFoundError):
        known |= {"missing": error.name}
    if isinstance(error, OF_ABSENCE):
        known |= {"absent": absent_modules(error)}
    if isinstance(error, OSError) and not isinstance(error, ImportError):
        known |= {"errno": error.errno, "file": str(error.filename or "")}
    known["messages"] = [str(one) for one in chain(error)]
    known["sought"] = list(dict.fromkeys(Libraries.missed))
    known["lacking"] = list(dict.fromkeys(Libraries.lacking))
    known["asked"] = [one for one in dict.fromkeys(ASKED) if one.isidentifier()][-MOST_ASKED:]
    known["unset"] = next(filter(None, map(unset_variable, chain(error))), None)
    return known


def unset_variable(error: BaseException) -> str | None:
    """Return the name of an environment variable whose absence raised the exception."""
    frames = list(traceback.walk_tb(error.__traceback__))
    inside = frames[-1][0].f_globals.get("__name__") if frames else None
    return str(error.args[0]) if isinstance(error, KeyError) and error.args and inside == "os" else None


def absent_modules(error: BaseException) -> list[str]:
    """Return the modules that the files of a failed import miss, in the order in which they import them."""
    files = dict.fromkeys(frame.f_code.co_filename for frame, _ in traceback.walk_tb(error.__traceback__))
    absent = []
    for file in files:
        with contextlib.suppress(OSError, ValueError, SyntaxError, RecursionError, MemoryError):
            absent += [name for name in imported_at_once(ast.parse(Path(file).read_bytes())) if not is_there(name)]
    return list(dict.fromkeys(absent))[:MOST_ABSENT]


def imported_at_once(module: ast.Module) -> list[str]:
    """Return the top-level modules that a module imports unconditionally."""
    names = []
    for node in module.body:
        if isinstance(node, ast.Import):
            names += [one.name for one in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.append(node.module or "")
    return [name.partition(".")[0] for name in names]


def is_there(name: str) -> bool:
    """Return whether a top-level module is loaded or can be found."""
    try:
        return name in sys.modules or importlib.util.find_spec(name) is not None
    except Exception:  # an importer of the app's own
        return True


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception and its causes."""
    while error:
        yield error
        error = error.__cause__ or error.__context__


def note_network(event: str, _: tuple[Any, ...]) -> None:
    """Tell the server, once, that the app tries to use a network, which it may have on Lambda."""
    if event in NETWORK_EVENTS and not network_used:
        network_used.append(event)
        with contextlib.suppress(Exception):
            report({}, "network")


def report(problem: dict[str, Any], about: str = "problem") -> None:
    """Send a report to the server that also is the Runtime API."""
    connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"], timeout=5)
    try:
        connection.request("POST", f"/proof/{about}", json.dumps(problem))
        connection.getresponse().read()
    except OSError:
        pass
    finally:
        connection.close()


if __name__ == "__main__":
    main()

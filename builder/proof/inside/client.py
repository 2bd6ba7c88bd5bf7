"""Run AWS's own runtime client, and report exceptions in full, not only what Lambda logs.

An event ``{"proof/called": {name: dotted path}}`` checks that functions exist which a framework's handler looks up only
when their event arrives.
"""

from __future__ import annotations

import faulthandler
import functools
import http.client
import importlib
import json
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from awslambdaric import bootstrap
from awslambdaric.lambda_runtime_client import LambdaRuntimeClient

Handler = Callable[[Any, Any], Any]


def main() -> None:
    """Run the runtime: load the handler, then ask for events until killed."""
    faulthandler.enable()
    os.environ["PYTHONPATH"] = os.environ.pop("_PROOF_PYTHONPATH")
    if Path(sys.path[0]) == Path(__file__).parent:
        del sys.path[0]  # the folder of this program
    # The app may have set PYTHONPATH: the code is found first all the same, and the runtime last.
    task, runtime = os.environ["LAMBDA_TASK_ROOT"], os.environ["LAMBDA_RUNTIME_DIR"]
    sys.path[:0] = dict.fromkeys([task, *os.environ["PYTHONPATH"].split(":"), runtime])
    bootstrap._get_handler = report_load_errors(bootstrap._get_handler)
    bootstrap.run(os.environ["_HANDLER"], LambdaRuntimeClient(os.environ["AWS_LAMBDA_RUNTIME_API"]))


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
        known["missing"] = error.name
    if isinstance(error, OSError) and not isinstance(error, ImportError):
        known |= {"errno": error.errno, "file": str(error.filename or "")}
    known["unset"] = next(filter(None, map(unset_variable, chain(error))), None)
    return known


def unset_variable(error: BaseException) -> str | None:
    """Return the name of an environment variable whose absence raised the exception."""
    frames = list(traceback.walk_tb(error.__traceback__))
    inside = frames[-1][0].f_globals.get("__name__") if frames else None
    return str(error.args[0]) if isinstance(error, KeyError) and error.args and inside == "os" else None


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception and its causes."""
    while error:
        yield error
        error = error.__cause__ or error.__context__


def report(problem: dict[str, Any]) -> None:
    """Send a report to the server that also is the Runtime API."""
    connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"], timeout=5)
    try:
        connection.request("POST", "/proof/problem", json.dumps(problem))
        connection.getresponse().read()
    except OSError:
        pass
    finally:
        connection.close()


if __name__ == "__main__":
    main()

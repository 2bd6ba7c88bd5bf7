"""Import what Lambda would import when the function starts: ``import_check.py REQUEST RESULT``, two JSON files.

Run in the sandbox under a Python that has only what Lambda's has, with the function's environment and the code folder
as working folder. Request: ``path`` (folders to find modules in, first wins), ``handler`` (``module.function``) and
``functions`` (setting -> dotted path: what events and the like will call). Result: ``{}`` or ``{"error": {...}}`` with
``where`` (``handler`` or a setting), ``type``, ``message``, ``traceback``, ``origins`` (top packages that the chain of
exceptions comes from), and for a syntax error ``file``, ``line`` and ``text``.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def main(request_file: str, result_file: str) -> None:
    """Import, tell, and end whatever the app left running."""
    request = json.loads(Path(request_file).read_text(encoding="utf-8"))
    result_path = Path(result_file)
    result_path.write_text(json.dumps({"error": {"where": "handler", "type": "ended"}}), encoding="utf-8")
    sys.path[:0] = request["path"]
    result = check(request["handler"], request["functions"])
    result_path.write_text(json.dumps(result), encoding="utf-8")
    sys.stdout.flush()
    os._exit(0)


def check(handler: str, functions: dict[str, str]) -> dict[str, Any]:
    """Import the handler, start it as its first event would, then look up each function."""
    where = "handler"
    try:
        module = find(handler)
        if hasattr(module, "LambdaHandler"):
            module.LambdaHandler()
        for where, path in functions.items():  # noqa: B007 - told when it fails
            find(path)
    except BaseException as error:
        return {"error": {"where": where, **told(error)}}
    return {}


def find(path: str) -> Any:
    """The module of a dotted path, which must have the named attribute."""
    name, _, attribute = path.rpartition(".")
    module = importlib.import_module(name)
    if not hasattr(module, attribute):
        raise AttributeError(f"module {name!r} has no {attribute!r}")
    return module


def told(error: BaseException) -> dict[str, Any]:
    """What is worth knowing about an exception, as JSON."""
    known: dict[str, Any] = {
        "type": type(error).__name__,
        "message": str(error),
        "traceback": "".join(traceback.format_exception(error)),
        "origins": sorted({type(one).__module__.partition(".")[0] for one in chain(error)}),
    }
    if isinstance(error, SyntaxError):
        known |= {"file": error.filename or "", "line": error.lineno, "text": (error.text or "").strip()}
    return known


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """An exception and what caused it."""
    while error:
        yield error
        error = error.__cause__ or error.__context__


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])

"""Tell where a function hung that was stopped, by the stack that `faulthandler` wrote of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from builder.diagnosis.syntax import clean
from builder.diagnosis.tracebacks import with_names

_FRAME = re.compile(r'  File "([^"\n]{1,4096})", line (\d{1,9}) in ([^\n]{1,500})')
_MOST_FRAMES = 12
_MODULE = "<module>"
_SERVER = re.compile(r"^/opt/python/(?:werkzeug|uvicorn|hypercorn|waitress|bottle|cheroot|cherrypy|tornado|gevent)\b")
_LOOPS = ("run", "serve", "start", "wait", "block")
"""How the functions begin in which servers wait."""


def is_importing(stack: str, shown: Mapping[Path, str]) -> bool:
    """Tell whether a module of the package was being imported."""
    return any(function == _MODULE for _, _, function in _frames(stack, shown))


_SERVER = re.compile(
    r"^/opt/python/(?:werkzeug|uvicorn|hypercorn|waitress|bottle|cheroot|cherrypy|tornado|gevent|daphne)\b"
)
_LOOPS = ("run", "serve", "start", "wait", "block")


def place(stack: str, shown: Mapping[Path, str]) -> str:
    """Return the frames of the package, the innermost last as in a traceback, with a line above; empty without any.

    Args:
        stack: untrusted; the innermost frame first.
        shown: folders by the name that the uploader knows.
    """
    innermost = _frames(stack, shown)[:_MOST_FRAMES]
    lines = [f'  File "{with_names(file, shown)}", line {line}, in {name}' for file, line, name in reversed(innermost)]
    return (
        "\n".join(["", "When it was stopped, it was at (most recent call last):", *map(clean, lines)]) if lines else ""
    )


def server_line(stack: str, shown: Mapping[Path, str]) -> str | None:
    """Return the line of the app at which it waits in a web server's own loop, None if it waits for anything else."""
    frames = [(with_names(file, shown), line, name) for file, line, name in _frames(stack, shown)]
    serves = any(_SERVER.search(file) and name.startswith(_LOOPS) for file, _, name in frames)
    own = next(((file, line) for file, line, name in frames if name == _MODULE and not file.startswith("/")), None)
    return clean(f"{own[0]}, line {own[1]}") if serves and own else None


def _frames(stack: str, shown: Mapping[Path, str]) -> list[tuple[str, str, str]]:
    found = _FRAME.findall(stack)
    return [frame for frame in found if any(Path(frame[0]).is_relative_to(folder) for folder in shown)]

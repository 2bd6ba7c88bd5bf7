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


def is_importing(stack: str, shown: Mapping[Path, str]) -> bool:
    """Tell whether a module of the package was being imported."""
    return any(function == _MODULE for _, _, function in _frames(stack, shown))


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


def _frames(stack: str, shown: Mapping[Path, str]) -> list[tuple[str, str, str]]:
    found = _FRAME.findall(stack)
    return [frame for frame in found if any(Path(frame[0]).is_relative_to(folder) for folder in shown)]

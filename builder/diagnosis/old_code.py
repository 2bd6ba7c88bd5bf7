"""Find code for Python 2 before anything is built for it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from auto_lambda.errors import AppError, Code, first_lines
from builder.diagnosis.python2 import looks_like_python2
from builder.diagnosis.syntax import clean
from builder.source.modules import modules, parse_strictly

_F_STRING = re.compile(r"\b[rR]?[fF][rR]?['\"]")
_MOST_FILES = 10
_MOST_BYTES = 5_000_000


def old_files(root: Path) -> Iterator[tuple[Path, SyntaxError]]:
    """Yield the modules of an app that this Python cannot parse, each with its error."""
    left = _MOST_BYTES
    for path in modules(root):
        left -= path.stat().st_size
        if left < 0:
            return
        try:
            parse_strictly(path)
        except SyntaxError as error:
            yield path, error


def python2_error(root: Path, failed: Iterable[tuple[Path, SyntaxError]], hint: str) -> AppError | None:
    """Return the error for those files that are written in Python 2, None if there are none.

    Args:
        root: the app's folder.
        failed: files that this Python cannot parse. Another Python may be able to, unless they are in Python 2.
        hint: what to do.
    """
    lines = [
        f"{path.relative_to(root)}, line {error.lineno} is written in Python 2: {clean(_line(error))[:300]}"
        for path, error in failed
        if _is_python2(error)
    ]
    if not lines:
        return None
    return AppError(Code.SYNTAX_ERROR, "\n".join(first_lines(lines, _MOST_FILES)), hint=hint)


def _is_python2(error: SyntaxError) -> bool:
    message = error.msg or ""
    # A newer Python takes more in such a string than this one may, and Python 2 has none.
    return (
        "f-string" not in message and not _F_STRING.search(_line(error)) and looks_like_python2(message, _line(error))
    )


def _line(error: SyntaxError) -> str:
    return (error.text or "").strip()

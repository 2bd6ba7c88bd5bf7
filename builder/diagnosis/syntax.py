"""Errors for files that the target's Python cannot compile."""

from __future__ import annotations

from auto_lambda.errors import AppError, Code
from builder.diagnosis.python2 import looks_like_python2
from builder.sandbox.sandbox import printable

_MAX_LENGTH = 6000  # characters


def syntax_error(file: str, line: int | None, message: str, text: str, python: str) -> AppError:
    """Return the error for a file that the target's Python cannot compile."""
    place = f"{clean(file)}, line {line}" if line else clean(file)
    details = f"{clean(message)}\n    {clean(text)[:300]}"
    if looks_like_python2(message, text):
        return AppError(
            Code.SYNTAX_ERROR,
            f"{place} is written in Python 2: {details}",
            hint=f"Port it to Python {python}, or leave it out by `exclude`; Lambda runs no Python 2.",
        )
    return AppError(
        Code.SYNTAX_ERROR,
        f"{place}: {details}",
        hint=f"Correct it for Python {python}, or leave it out by `exclude` if the app does not use it.",
    )


def clean(text: str) -> str:
    """Strip control characters from untrusted text, and keep the end if it is long."""
    return "\n".join(printable(line) for line in text.splitlines())[-_MAX_LENGTH:]

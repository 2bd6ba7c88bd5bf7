"""Errors for files that the target's Python cannot compile."""

from __future__ import annotations

import re

from auto_lambda.errors import AppError, Code
from builder.diagnosis.python2 import looks_like_python2
from builder.sandbox.sandbox import printable

_COPIED = re.compile(r"invalid (?:non-printable )?character .{0,9}\(?U\+([0-9A-Fa-f]{4,6})\)?")
_TYPOGRAPHIC = {
    "00A0": ("non-breaking spaces", "plain ones"), "202F": ("narrow spaces", "plain ones"),
    "200B": ("invisible spaces", "nothing"), "FEFF": ("byte order marks", "nothing"),
    **dict.fromkeys(("201C", "201D", "201E", "00AB", "00BB"), ("typographic quotes", '"')),
    **dict.fromkeys(("2018", "2019", "201A"), ("typographic quotes", "'")),
    **dict.fromkeys(("2013", "2014", "2212"), ("dashes", "-")),
}  # fmt: skip
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
        hint=copied_hint(message, file)
        or f"Correct it for Python {python}, or leave it out by `exclude` if the app does not use it.",
    )


def copied_hint(message: str, file: str) -> str | None:
    """Return the hint for a character that code has only where it was copied from a page, else None."""
    found = _COPIED.search(message)
    if not found:
        return None
    what, by = _TYPOGRAPHIC.get(found[1].upper(), ("characters", "what was meant"))
    return f"Replace {what} (U+{found[1].upper()}) by {by} in {clean(file)}: they come with code copied from a page."


def clean(text: str) -> str:
    """Strip control characters from untrusted text, and keep the end if it is long."""
    return "\n".join(printable(line) for line in text.splitlines())[-_MAX_LENGTH:]

"""Tell which failures another Python could cure, so that the next one is tried where the app names none.

A wrong guess only costs another try, so that words of an upload may be looked at.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping

from auto_lambda.errors import AppError

_LOST_BY = {
    "3.10": ("formatter", "parser", "symbol"),
    "3.11": ("binhex",),
    "3.12": ("distutils", "asynchat", "asyncore", "imp", "smtpd"),
    "3.13": (
        "aifc", "audioop", "cgi", "cgitb", "chunk", "crypt", "imghdr", "lib2to3", "mailcap", "msilib", "nis", "nntplib",
        "ossaudiodev", "pipes", "sndhdr", "spwd", "sunau", "telnetlib", "uu", "xdrlib",
    ),
}  # fmt: skip
LOST: Mapping[str, str] = {name: minor for minor, names in _LOST_BY.items() for name in names}
"""The modules that the standard library no longer has, with the first Python without each (the sections 'Removed' of
'What's New In Python')."""

_ATTRIBUTE = re.compile(
    r"module '([\w.]{1,100})' has no attribute|cannot import name '[^'\n]{1,100}' from '([\w.]{1,100})'"
)
_INTERPRETER_SYMBOL = re.compile(r"undefined symbol: _?Py")


class OtherPythonMayDo(AppError):
    """The app fails on this Python, and may work on another."""


def mark(error: AppError, *, missing: str | None = None, own: bool = True, known: bool = False) -> AppError:
    """Return a failed import's error, as an `OtherPythonMayDo` where another Python may cure it.

    Args:
        error: the error.
        missing: the module that was not found.
        own: it was raised in the app's own code, not in a dependency.
        known: its cause is known, and is none that has to do with Python.
    """
    if missing is not None:
        cured = missing.partition(".")[0] in LOST
    else:
        cured = not known and (not own or _speaks_of_python(error.message))
    return OtherPythonMayDo(error.code, error.message, hint=error.hint) if cured else error


def lost_module_hint(missing: str) -> str | None:
    """Return the hint for a missing module that Python or setuptools once had, else None."""
    if missing == "pkg_resources":
        return "Add setuptools<81 to the app's requirements: newer releases have no pkg_resources."
    if not (gone := LOST.get(missing.partition(".")[0])):
        return None
    before = f"3.{int(gone.partition('.')[2]) - 1}"
    return (
        f'Python has no {missing.partition(".")[0]} since {gone}: write python = "{before}" into auto-lambda.toml, or '
        "take a newer release of what imports it."
    )


def _speaks_of_python(message: str) -> bool:
    modules = (match[1] or match[2] for match in _ATTRIBUTE.finditer(message))
    standard = any(name.partition(".")[0] in sys.stdlib_module_names | LOST.keys() for name in modules)
    return standard or bool(_INTERPRETER_SYMBOL.search(message))

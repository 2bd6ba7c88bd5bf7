"""Tell which failures another Python could cure, so that the next one is tried where the app names none.

A wrong guess only costs another try, so that words of an upload may be looked at.
"""

from __future__ import annotations

import collections.abc
import re
import sys
from collections.abc import Iterator, Mapping, Sequence

from auto_lambda.errors import AppError, Code
from builder.diagnosis.lost_names import lost_module_hint, lost_name_hint

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

_ATTRIBUTE = re.compile(r"module '([\w.]{1,100})' has no attribute '(\w{1,100})'")
_NAME = re.compile(r"cannot import name '(\w{1,100})' from '([\w.]{1,100})'")
_FRAME = re.compile(r'(?m)^  File "(?:/opt/python/)?([\w.-]{1,100})[/"]')
_PLACE = re.compile(r" \([^()]*\)?|\. Did you mean.*")
_SIX = re.compile(r"(?:^|\.)six\.moves(?:\.|$)")
_ABSTRACT = frozenset(name for name in dir(collections.abc) if name[0].isupper())
_GONE_EVERYWHERE = {"base64": ("decodestring", "encodestring"), "cgi": ("escape",), "fractions": ("gcd",),
                    "inspect": ("formatargspec", "getargspec"), "collections": tuple(sorted(_ABSTRACT)),
                    "platform": ("dist", "linux_distribution"), "time": ("clock",), "asyncio": ("async", "coroutine"),
                    "gettext": ("lgettext",)}  # fmt: skip
"""Names that modules lost in Python 3.11 or before, which Lambda no longer offers a Python for."""
_INTERPRETER_SYMBOL = re.compile(r"undefined symbol: _?Py")


_OF_THE_APP = frozenset({
    Code.HANDLER_MISSING, Code.MISSING_ENVIRONMENT, Code.NEEDS_AWS, Code.WRITES_TO_READ_ONLY,
})  # fmt: skip


class OtherPythonMayDo(AppError):
    """The app fails on this Python, and may work on another."""


class NeedsSetuptools(AppError):
    """The app needs pkg_resources at run time, which nothing of its requirements brings along."""

    requirement = "setuptools<81"
    warning = (
        "setuptools<81 is installed as well, as the app or what it requires imports pkg_resources: add it to the app's "
        "requirements, or take newer releases of what needs it"
    )


def mark(error: AppError, *, missing: str | None = None, own: bool = True, known: bool = False) -> AppError:
    """Return a failed import's error, as an `OtherPythonMayDo` where another Python may cure it.

    Args:
        error: the error.
        missing: the module that was not found.
        own: it was raised in the app's own code, not in a dependency.
        known: its cause is known, and is none that has to do with Python.
    """
    if missing is not None and missing.partition(".")[0] == "pkg_resources":
        return NeedsSetuptools(error.code, error.message, hint=error.hint)
    if missing is not None:
        cured = missing.partition(".")[0] in LOST or _SIX.search(missing) is not None
    else:
        cured = not known and (not own or _speaks_of_python(error.message)) and not _gone_everywhere(error.message)
    return OtherPythonMayDo(error.code, error.message, hint=error.hint) if cured else error


def import_hint(message: str, missing: str | None = None, *, own: bool = True) -> str | None:
    """Return the hint for an import that failed on what Python or another package no longer has, else None.

    Args:
        message: the failure's, with its traceback.
        missing: the module that was not found.
        own: it was raised in the app's own code, not in a dependency.
    """
    if missing is not None:
        return _lost_module_hint(missing) or lost_module_hint(missing)
    culprit = None if own else culprit_of(message)
    if gone := next(_gone(message), None):
        return (
            f"No Python that Lambda offers has {gone} any more: take a newer release of {culprit or 'what uses it'}, "
            "in the app's requirements."
        )
    if hint := lost_name_hint(message, culprit):
        return hint
    if culprit and (found := _NAME.search(message)) and (other := found[2].partition(".")[0]) != culprit:
        return (
            f"{culprit} does not run with this release of {other}: require an older {other}, or a newer release of "
            f"{culprit}, in the app's requirements."
        )
    return None


def on_all(failures: Sequence[tuple[str, AppError]]) -> AppError:
    """Return the error for an app that fails on every Python that was tried.

    What has nothing to do with Python comes first: once that is mended, the app may run there. Else the first counts.
    """
    error = next((one for _, one in failures if _is_of_the_app(one)), failures[0][1])
    if len(failures) == 1 or _is_of_the_app(error):
        return error
    last = [f"{python} ({_last_line(one)})" for python, one in failures]
    if len({_PLACE.sub("", _last_line(one)) for _, one in failures}) == 1:  # it has nothing to do with Python
        return failures[0][1]
    culprits = dict.fromkeys(filter(None, (culprit_of(one.message) for _, one in failures)))
    what = " and ".join(culprits) or "what is imported"
    hint = f"It fails on each Python that may be chosen: {', '.join(last)}. Take a newer release of {what}."
    return AppError(error.code, error.message, hint=hint)


def _is_of_the_app(error: AppError) -> bool:
    """Return whether an error would be the same on any Python: also a module that no Python brings along."""
    lacks_module = not isinstance(error, OtherPythonMayDo) and _last_line(error).startswith("ModuleNotFoundError")
    return error.code in _OF_THE_APP or lacks_module


def _last_line(error: AppError) -> str:
    return error.message.strip().splitlines()[-1][:150]


def culprit_of(message: str) -> str | None:
    """Return the top-level package of the innermost frame of a traceback, None if it is a module of the app."""
    frames = _FRAME.findall(message)
    return None if not frames or frames[-1].endswith(".py") else frames[-1]


def _lost_module_hint(missing: str) -> str | None:
    if missing == "pkg_resources":
        return "Add setuptools<81 to the app's requirements: newer releases have no pkg_resources."
    if _SIX.search(missing):
        return (
            'Python 3.12 and newer do not find the modules of a six before 1.16: write python = "3.11" into '
            f"auto-lambda.toml, or take a newer release of {missing.partition('.')[0]}."
        )
    if not (gone := LOST.get(missing.partition(".")[0])):
        return None
    before = f"3.{int(gone.partition('.')[2]) - 1}"
    return (
        f'Python has no {missing.partition(".")[0]} since {gone}: write python = "{before}" into auto-lambda.toml, or '
        "take a newer release of what imports it."
    )


def _gone(message: str) -> Iterator[str]:
    """Yield names that no Python on Lambda has any more."""
    found = [(one[1], one[2]) for one in _ATTRIBUTE.finditer(message)]
    found += [(one[2], one[1]) for one in _NAME.finditer(message)]
    return (f"{module}.{name}" for module, name in found if name in _GONE_EVERYWHERE.get(module, ()))


def _gone_everywhere(message: str) -> bool:
    return any(True for _ in _gone(message))


def _speaks_of_python(message: str) -> bool:
    modules = [one[1] for one in _ATTRIBUTE.finditer(message)] + [one[2] for one in _NAME.finditer(message)]
    standard = any(name.partition(".")[0] in sys.stdlib_module_names | LOST.keys() for name in modules)
    return standard or bool(_INTERPRETER_SYMBOL.search(message))

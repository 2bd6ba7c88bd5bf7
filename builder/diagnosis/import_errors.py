"""Recognise exceptions whose remedy is known, wherever in the app's code they are raised."""

from __future__ import annotations

import errno
import re
from collections.abc import Collection, Sequence

from auto_lambda.errors import Code
from builder.diagnosis.syntax import clean
from builder.diagnosis.unset_variables import AWS_PACKAGES, WRONG_CALLS

WHERE_TO_SET = "under [environment] in auto-lambda.toml or in the framework's own settings"
WHERE_SECRETS_GO = (  # the one place to name a command for it
    "Never put a secret into the zip: store it in Parameter Store below /auto-lambda/<stage>/<name>/, and read it "
    "inside a function."
)
_NO_SPACE = (errno.EFBIG, errno.ENOSPC, errno.EDQUOT)
NETWORK_ERRORS = frozenset({"gaierror", "ConnectionError", "ConnectionRefusedError", "URLError", "NewConnectionError",
                      "ConnectError", "OperationalError"})  # fmt: skip
"""Names of exceptions that a network raises which is not there."""
_OF_TEMPLATES = frozenset({"TemplateNotFound", "TemplateDoesNotExist"})  # jinja2's, Django's
_TEMPLATE = re.compile(r"[\w./-]{1,255}")
_OF_THE_LOADER = frozenset({"ImportError", "OSError"})
# Bounded, and tried only where a word begins: an untrusted message may be one word of a hundred thousand letters.
_LIBRARY = re.compile(r"(?<!\S)(\S{1,255}): cannot open shared object file")
_VERSION = re.compile(r"version `(GLIBC_[\d.]+)' not found")


def remedy(
    message: str,
    *,
    types: Collection[str] = (),
    origins: Collection[str] = (),
    unset: Sequence[str] = (),
    number: int | None = None,
    file: str = "",
) -> tuple[Code, str] | None:
    """Return the code and the hint for an exception, None if only its traceback says more.

    Args:
        message: the exception's message.
        types: names of its type and of its causes' types.
        origins: top-level packages of these types.
        unset: the environment variables that are to be set.
        number: errno.
        file: the file that an `OSError` names.
    """
    if unset:
        return Code.MISSING_ENVIRONMENT, f"Set {clean(', '.join(unset))} {WHERE_TO_SET}. {WHERE_SECRETS_GO}"
    if AWS_PACKAGES.intersection(origins) and not WRONG_CALLS.intersection(types):
        return Code.NEEDS_AWS, (
            "The app calls AWS while it is imported, where it has neither credentials nor a network: make the call "
            f"inside a function, when it is first needed, or set what it asks AWS for {WHERE_TO_SET}."
        )
    if template := _TEMPLATE.search(message) if _OF_TEMPLATES.intersection(types) else None:
        return Code.APP_DOES_NOT_IMPORT, (
            f"The zip has no template {clean(template[0])} where the app looks for it: add it, in most apps to the "
            "folder templates/ beside the module that makes the app."
        )
    if number is not None and (written := _remedy_of_writing(number, file)):
        return written
    # An exception of another type that speaks of libraries misses none.
    loader = message if _OF_THE_LOADER.intersection(types) else ""
    if found := _LIBRARY.search(loader):
        return Code.MISSING_LIBRARY, (
            f"Require a wheel of the package that bundles {clean(found[1])}, or put it into the folder lib/ of "
            "the code (vendor/lib/ in a chalice project), where Lambda looks for libraries."
        )
    if found := _VERSION.search(loader):
        return Code.GLIBC_TOO_NEW, f"It needs {found[1]}: use the package's manylinux wheel."
    if NETWORK_ERRORS.intersection(types):
        return Code.APP_DOES_NOT_IMPORT, (
            "There is no network while a package is tested: connect inside functions, when it is needed."
        )
    return None


def _remedy_of_writing(number: int, file: str) -> tuple[Code, str] | None:
    if number == errno.EROFS and file.rstrip("/").rpartition("/")[2] == "instance":
        return Code.WRITES_TO_READ_ONLY, (
            "Flask's instance folder cannot be made beside the code, as on Lambda only /tmp can be written: "
            'Flask(..., instance_path="/tmp/instance") puts it there. Each instance of the function has a /tmp of its '
            "own, which does not last: keep data in a service such as DynamoDB."
        )
    if number == errno.EROFS:
        return Code.WRITES_TO_READ_ONLY, (
            f"{clean(file) or 'The file'} cannot be written: on Lambda only /tmp can. Write there, or not while the "
            "app is imported."
        )
    if number in _NO_SPACE:
        return Code.TOO_MUCH_DISK, (
            "A build may write 4 GB in all, 1 GB into one file and 2 GB into /tmp. Download large data at run time, "
            "from a bucket."
        )
    return None


def with_unset(message: str, unset: Sequence[str]) -> str:
    """Return an error's message that names the variables to set as well."""
    names = ", ".join(unset)
    return f"{message}\nNot set: {clean(names)}" if names else message

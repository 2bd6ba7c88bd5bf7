"""Recognise exceptions whose remedy is known, wherever in the app's code they are raised."""

from __future__ import annotations

import errno
import re
from collections.abc import Collection
from itertools import pairwise

from auto_lambda.errors import Code
from builder.diagnosis.syntax import clean

WHERE_TO_SET = "under [environment] in auto-lambda.toml or in the framework's own settings"
WHERE_SECRETS_GO = (  # the one place to name a command for it
    "Never put a secret into the zip: store it in Parameter Store below /auto-lambda/<stage>/<name>/, and read it "
    "inside a function."
)
_AWS_PACKAGES = frozenset({"botocore", "boto3", "s3transfer"})
_NO_SPACE = (errno.EFBIG, errno.ENOSPC, errno.EDQUOT)
_WRONG_CALLS = frozenset({"ParamValidationError", "UnknownServiceError", "ValidationError", "DataNotFoundError"})
_NETWORK_ERRORS = frozenset({"gaierror", "ConnectionError", "ConnectionRefusedError", "URLError", "NewConnectionError",
                      "ConnectError", "OperationalError"})  # fmt: skip
_OF_TEMPLATES = frozenset({"TemplateNotFound", "TemplateDoesNotExist"})  # jinja2's, Django's
_TEMPLATE = re.compile(r"[\w./-]{1,255}")
_OF_THE_LOADER = frozenset({"ImportError", "OSError"})
# Bounded, and tried only where a word begins: an untrusted message may be one word of a hundred thousand letters.
_LIBRARY = re.compile(r"(?<!\S)(\S{1,255}): cannot open shared object file")
_VERSION = re.compile(r"version `(GLIBC_[\d.]+)' not found")
_NAME = r"([A-Za-z_][A-Za-z0-9_]{0,254})"
_UNSET = {  # package of the exception -> what it says
    "environs": re.compile(rf'[Ee]nvironment variable "{_NAME}" not set'),
    "decouple": re.compile(rf"(?<!\w){_NAME} not found\. Declare it as envvar"),
    "dynaconf": re.compile(rf"(?<!\w){_NAME} is required in env"),
    "builtins": re.compile(rf"Config '{_NAME}' is missing, and has no default"),  # starlette's, a KeyError
}
_MOST_NAMED = 50
_MISSING_FIELD = "  Field required [type=missing"


def unset_variables(message: str, origins: Collection[str]) -> list[str]:
    """Return the variables that a library for settings misses, each once."""
    if "pydantic_core" in origins:
        lines = message.splitlines()
        fields = [name for name, said in pairwise(lines) if said.startswith(_MISSING_FIELD)]
        found = [name.upper() for name in fields if name.isidentifier() and name.isascii()]
    else:
        found = [name for one in _UNSET.keys() & set(origins) for name in _UNSET[one].findall(message)]
    return list(dict.fromkeys(found))[:_MOST_NAMED]


def remedy(
    message: str,
    *,
    types: Collection[str] = (),
    origins: Collection[str] = (),
    unset: str | None = None,
    number: int | None = None,
    file: str = "",
    required: Collection[str] = (),
) -> tuple[Code, str] | None:
    """Return the code and the hint for an exception, None if only its traceback says more.

    Args:
        message: the exception's message.
        types: names of its type and of its causes' types.
        origins: top-level packages of these types.
        unset: the environment variable whose absence raised it.
        number: errno.
        file: the file that an `OSError` names.
        required: unset variables that the app's modules need as well, as far as their code shows.
    """
    names = [unset] if unset is not None else unset_variables(message, origins)
    if names:
        if "pydantic_core" in origins:  # whose message does not tell the prefix that the code shows
            missed = [name for name in names if name not in required]
            longer = {name: next((one for one in required if one.endswith(name)), name) for name in missed}
            names = [longer.get(name, name) for name in names]
        names = list(dict.fromkeys([*names, *required]))[:_MOST_NAMED]
        return Code.MISSING_ENVIRONMENT, f"Set {clean(', '.join(names))} {WHERE_TO_SET}. {WHERE_SECRETS_GO}"
    if _AWS_PACKAGES.intersection(origins) and not _WRONG_CALLS.intersection(types):
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
    if _NETWORK_ERRORS.intersection(types):
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

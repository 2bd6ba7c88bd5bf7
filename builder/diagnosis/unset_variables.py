"""Tell which environment variables an app failed without, and which it needs as well."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from builder.source.variables.use import VariableUse

AWS_PACKAGES = frozenset({"botocore", "boto3", "s3transfer"})
WRONG_CALLS = frozenset({"ParamValidationError", "UnknownServiceError", "ValidationError", "DataNotFoundError"})
_NAME = r"([A-Za-z_][A-Za-z0-9_]{0,254})"
_SAYS = {  # package of the exception -> what it says
    "environs": re.compile(rf'[Ee]nvironment variable "{_NAME}" not set'),
    "decouple": re.compile(rf"(?<!\w){_NAME} not found\. Declare it as envvar"),
    "dynaconf": re.compile(rf"(?<!\w){_NAME} is required in env"),
    "builtins": re.compile(rf"Config '{_NAME}' is missing, and has no default"),  # starlette's, a KeyError
}
_MISSING_FIELD = "  Field required [type=missing"
_MODEL = re.compile(r"\d{1,9} validation errors? for (\w{1,255})\n")
_SPEAKS_OF_NOTHING = re.compile(
    r"\bNone(?:Type)?\b|\bnot set\b|\brequired\b|\bmissing\b|\bempty\b|\bmust be\b", re.IGNORECASE
)
_WORD = re.compile(r"(?<![A-Za-z0-9_])[A-Za-z_][A-Za-z0-9_]{2,254}(?![A-Za-z0-9_])")
_LONGEST = 20_000  # characters of a message
_MOST = 50


@dataclass(frozen=True, slots=True)
class FailedImport:
    """An exception that may come from a variable that is not set.

    Attributes:
        message: its own.
        types: names of its type and of its causes' types.
        origins: top-level packages of these types.
        unset: the variable that `os.environ` did not have.
        asked: variables that were asked for before, in vain and without a default.
        own: the innermost line of the app's own code.
    """

    message: str
    types: Collection[str] = ()
    origins: Collection[str] = ()
    unset: str | None = None
    asked: Sequence[str] = ()
    own: tuple[Path, int] | None = None

    @property
    def said(self) -> list[str]:
        """The names that a library for settings says it misses."""
        return said_by_libraries(self.message, self.origins)

    @property
    def is_possible(self) -> bool:
        """Whether it may come from a variable at all."""
        return self.unset is not None or bool(self.asked or self.said)


def unset_variables(
    failure: FailedImport, root: Path, entries: Iterable[Path], environment: Iterable[str]
) -> list[str]:
    """Return the variables to set, the one that the app failed without first, none if it failed of something else.

    Args:
        failure: the exception.
        root: the app's folder.
        entries: modules of the app that are imported.
        environment: names that are set.
    """
    if not failure.is_possible:
        return []
    use = VariableUse(root, entries)
    if failure.unset is not None:
        names = [failure.unset]
    elif said := failure.said:
        names = _as_variables(said, failure, use, environment)
    else:
        names = _in_vain(failure, use)
    return list(dict.fromkeys([*names, *use.required(environment)]))[:_MOST] if names else []


def said_by_libraries(message: str, origins: Collection[str]) -> list[str]:
    """Return the names that a library for settings says it misses, each once."""
    if "pydantic_core" in origins:
        lines = message.splitlines()
        fields = [name for name, said in pairwise(lines) if said.startswith(_MISSING_FIELD)]
        found = [name.upper() for name in fields if name.isidentifier() and name.isascii()]
    else:
        found = [name for one in _SAYS.keys() & set(origins) for name in _SAYS[one].findall(message)]
    return list(dict.fromkeys(found))[:_MOST]


def _as_variables(said: list[str], failure: FailedImport, use: VariableUse, environment: Iterable[str]) -> list[str]:
    """Return what names in a message are called in the environment: the code knows their prefix."""
    model = _MODEL.match(failure.message)
    if "pydantic_core" in failure.origins and model and use.is_plain_model(model[1]):
        return []  # it speaks of data, not of settings
    if not {"pydantic_core", "dynaconf"}.intersection(failure.origins):
        return said
    required = use.required(environment)
    prefix = "DYNACONF_" if "dynaconf" in failure.origins else ""
    longer = {name: [one for one in required if one.endswith(name)] for name in said}
    return [name if name in found else found[0] if found else f"{prefix}{name}" for name, found in longer.items()]


def _in_vain(failure: FailedImport, use: VariableUse) -> list[str]:
    """Return those of the variables asked for in vain that the exception names, or that the failing line uses."""
    words = set(_WORD.findall(failure.message[:_LONGEST]))
    kept = {variable for name, variable in use.aliases.items() if name in words}
    named = [name for name in failure.asked if name in words or name in kept]
    if named:
        return named
    aws = AWS_PACKAGES.intersection(failure.origins) and not WRONG_CALLS.intersection(failure.types)
    if aws or failure.own is None or not _SPEAKS_OF_NOTHING.search(failure.message[:_LONGEST]):
        return []
    return [name for name in use.read_at(*failure.own) if name in failure.asked]

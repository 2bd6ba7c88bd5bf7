"""Reads the functions that are a stack's own, as they are in Lambda."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from auto_lambda.aws.cloudformation import Stack
from auto_lambda.aws.lambda_ import Alias, Functions, Published, State
from auto_lambda.model import Template
from worker.bundle import pointers
from worker.bundle.pointers import ALIAS
from worker.deploy.at_once import at_once, both

_VERSION = re.compile(r"(?P<function>[A-Za-z0-9]+)Version[0-9a-f]{12}")
_OWNER = ("auto-lambda:app", "auto-lambda:stage")


@dataclass(frozen=True, slots=True)
class OwnFunction:
    """A function of a stack.

    Attributes:
        name: its logical id.
        function: its name.
        version: the number that the stack says is live; empty if it says none.
        latest: what it is; None if it was deleted by hand.
        alias: what ``live`` points to; None if it was deleted by hand.
        versions: what was published, ``$LATEST`` included.
    """

    name: str
    function: str
    version: str
    latest: State | None
    alias: Alias | None
    versions: tuple[Published, ...]

    @property
    def released(self) -> Published | None:
        """The version that the stack says is live; None if it was deleted by hand."""
        return next((it for it in self.versions if it.version == self.version), None)


def own_functions(stack: Stack, resources: Mapping[str, str], functions: Functions) -> tuple[OwnFunction, ...]:
    """Return the functions of which a stack says a version that is live.

    Only the app's own are among them: the stack itself has something of that logical id, and the tags of the function
    of that name are those of the stack. What is of that logical id is what a template says, and a template comes from
    an upload. Stacks of earlier days say the version by a resource for each.

    Args:
        stack: as it is.
        resources: physical ids by logical ids.
        functions: Lambda.
    """
    said = sorted(_versions(stack, resources).items())
    named = [(name, resources[name], version) for name, version in said if name in resources and version.isdecimal()]
    found = at_once(partial(_look, stack, functions, *one) for one in named)
    return tuple(one for one in found if one)


def functions_not_live(
    stack: Stack, template: Template, resources: Mapping[str, str], functions: Functions
) -> tuple[OwnFunction, ...]:
    """Return a stack's own functions of which it says no version yet: they are made, but nobody is led to them.

    Args:
        stack: as it is.
        template: that it has.
        resources: physical ids by logical ids.
        functions: Lambda.
    """
    said = _versions(stack, resources)
    names = [name for name in pointers.functions(template) if name in resources and name not in said]
    found = at_once(partial(_look, stack, functions, name, resources[name], "") for name in names)
    return tuple(one for one in found if one)


def _look(stack: Stack, functions: Functions, name: str, function: str, version: str) -> OwnFunction | None:
    looked, (alias, versions) = both(
        partial(functions.look, function),
        partial(both, partial(functions.alias, function, ALIAS), partial(functions.versions.of_function, function)),
    )
    latest, tags = looked or (None, None)
    # One that was deleted by hand cannot be another's.
    if tags is not None and any(tags.get(owner) != stack.tags.get(owner) for owner in _OWNER):
        return None
    return OwnFunction(name, function, version, latest, alias, tuple(versions))


def _versions(stack: Stack, resources: Mapping[str, str]) -> dict[str, str]:
    """Return the versions that a stack says are live, by function; as it says today, or as it said in earlier days."""
    found = {}
    for logical, arn in resources.items():
        function, _, version = arn.rpartition(":")
        if (named := _VERSION.fullmatch(logical)) and resources.get(named["function"]) == function.rpartition(":")[2]:
            found[named["function"]] = version
    return found | pointers.versions(stack.parameters)

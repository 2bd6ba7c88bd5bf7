"""Drift: finds and undoes changes that were made by hand, which CloudFormation does not notice."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from auto_lambda.aws.cloudformation import Stack, Stacks
from auto_lambda.aws.lambda_ import Functions, State
from auto_lambda.model import BuildLog, Template
from worker.bundle import pointers
from worker.bundle.pointers import ALIAS, RELEASE_VARIABLE
from worker.deploy.switch.versions import same_settings

_VERSION = re.compile(r"(?P<function>[A-Za-z0-9]+)Version[0-9a-f]{12}")

_OWNER = ("auto-lambda:app", "auto-lambda:stage")


@dataclass(frozen=True, slots=True)
class _Published:
    """A function of a stack (logical id and name) with the version that the stack says is live."""

    name: str
    function: str
    version: str


class Drift:
    """Compares the functions of a stack with the versions that the stack says are live.

    A version never changes, so it shows what was released, whatever has happened to the function and its alias since.
    Only the app's own functions are looked at and changed: the stack itself has something of that logical id, and the
    tags of the function of that name are those of the stack. What is of that logical id is what a template says, and a
    template comes from an upload. Stacks of earlier days say the version by a resource for each.

    Args:
        stacks: CloudFormation.
        functions: Lambda.
    """

    def __init__(self, stacks: Stacks, functions: Functions) -> None:
        self._stacks = stacks
        self._functions = functions

    def missing(self, stack: Stack) -> str | None:
        """Name what was deleted by hand, None if nothing was. CloudFormation cannot update what is missing."""
        for it in self._published(stack):
            if self._functions.state(it.function) is None:
                return f"the function {it.function}"
            if self._functions.alias(it.function, ALIAS) is None:
                return f"the alias {ALIAS} of {it.function}"
            if self._functions.state(f"{it.function}:{it.version}") is None:
                return f"version {it.version} of {it.function}"
        return None

    def undo(self, stack: Stack, template: Template, wanted: Template, log: BuildLog) -> None:
        """Undo changes to ``$LATEST`` before an update, since the next version is published from it.

        Changed code is replaced by that of the release that is deployed next; changed settings by the released ones. A
        function that is of another release than its version, since an update got no further, has nothing to compare.

        Args:
            stack: as it is.
            template: that it has.
            wanted: the release that is deployed next.
            log: takes what was changed.
        """
        for it in self._published(stack):
            if it.name not in wanted["Resources"]:
                continue
            latest = self._functions.state(it.function)
            released = self._functions.state(f"{it.function}:{it.version}")
            deployed = pointers.release_of(template, it.name)
            if latest and released and deployed and deployed.stamp == _stamp(released):
                self._undo(it, latest, released, wanted, log)

    def _undo(self, it: _Published, latest: State, released: State, wanted: Template, log: BuildLog) -> None:
        if latest.code_sha256 != released.code_sha256:
            log(f"the code of {it.name} was changed by hand; it is replaced")
            code = wanted["Resources"][it.name]["Properties"]["Code"]
            self._functions.set_code(it.function, code["S3Bucket"], code["S3Key"])
        changed = {
            name: value
            for name, value in released.settings.items()
            if not same_settings({name: latest.settings.get(name)}, {name: value})
        }
        if changed:
            log(f"settings of {it.name} were changed by hand: {', '.join(changed)}; they are set back")
            self._functions.set_settings(it.function, changed)

    def _published(self, stack: Stack) -> Iterator[_Published]:
        resources = self._stacks.resources(stack.id)
        for name, version in sorted(_versions(stack, resources).items()):
            function = resources.get(name)
            if function and version.isdecimal() and self._has_tags(stack, function):
                yield _Published(name, function, version)

    def _has_tags(self, stack: Stack, function: str) -> bool:
        """Tell whether a function has the stack's own tags; one that was deleted by hand cannot be another's."""
        tags = self._functions.tags(function)
        return tags is None or all(tags.get(name) == stack.tags.get(name) for name in _OWNER)


def _versions(stack: Stack, resources: Mapping[str, str]) -> dict[str, str]:
    """Return the versions that a stack says are live, by function; as it says today, or as it said in earlier days."""
    found = {}
    for logical, arn in resources.items():
        function, _, version = arn.rpartition(":")
        if (named := _VERSION.fullmatch(logical)) and resources.get(named["function"]) == function.rpartition(":")[2]:
            found[named["function"]] = version
    return found | pointers.versions(stack.parameters)


def _stamp(state: State) -> str | None:
    found: str | None = state.settings.get("Environment", {}).get("Variables", {}).get(RELEASE_VARIABLE)
    return found

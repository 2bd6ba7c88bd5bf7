"""Drift: finds and undoes changes that were made by hand, which CloudFormation does not notice."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from auto_lambda.aws.cloudformation import Stack, Stacks
from auto_lambda.aws.lambda_ import Functions, State
from auto_lambda.model import BuildLog
from worker.bundle.publish import ALIAS
from worker.model import Bundle

_VERSION = re.compile(r"(?P<function>[A-Za-z0-9]+)Version[0-9a-f]{12}")

_OWNER = ("auto-lambda:app", "auto-lambda:stage")


@dataclass(frozen=True, slots=True)
class _Published:
    """A function of a stack (logical id and ARN) with the version that the stack has published."""

    name: str
    function: str
    version: str


class Drift:
    """Compares the functions of a stack with the versions that the stack has published.

    A version never changes, so it shows what was released, whatever has happened to the function and its alias since.
    Only the app's own functions are looked at and changed: the stack itself has a function of that logical id, with the
    physical name that the version's ARN names, and the function's tags are those of the stack. What a version is of is
    what a template says, and a template comes from an upload.

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

    def undo(self, stack: Stack, bundle: Bundle, log: BuildLog) -> None:
        """Undo changes to ``$LATEST`` before an update, since the next version is published from it.

        Changed code is replaced by the bundle's, which is deployed next; changed settings by the released ones.
        """
        for it in self._published(stack):
            if it.name not in bundle.template["Resources"]:
                continue
            latest = self._functions.state(it.function)
            released = self._functions.state(f"{it.function}:{it.version}")
            if latest and released:
                self._undo(it, latest, released, bundle, log)

    def point(self, stack: Stack, log: BuildLog) -> None:
        """Point each alias at the version that the stack has published, after an update."""
        for it in self._published(stack):
            alias = self._functions.alias(it.function, ALIAS)
            if alias and (alias.version != it.version or alias.weighted):
                log(f"the alias {ALIAS} of {it.name} was moved by hand to {alias.version}; it is moved to {it.version}")
                self._functions.point(it.function, ALIAS, it.version)

    def _undo(self, it: _Published, latest: State, released: State, bundle: Bundle, log: BuildLog) -> None:
        if latest.code_sha256 != released.code_sha256:
            log(f"the code of {it.name} was changed by hand; it is replaced")
            code = bundle.template["Resources"][it.name]["Properties"]["Code"]
            self._functions.set_code(it.function, code["S3Bucket"], code["S3Key"])
        changed = {name: value for name, value in released.settings.items() if latest.settings.get(name) != value}
        if changed:
            log(f"settings of {it.name} were changed by hand: {', '.join(changed)}; they are set back")
            self._functions.set_settings(it.function, changed)

    def _published(self, stack: Stack) -> Iterator[_Published]:
        resources = self._stacks.resources(stack.id)
        for logical, arn in sorted(resources.items()):
            function, _, version = arn.rpartition(":")
            if not (named := _VERSION.fullmatch(logical)) or not version.isdecimal():
                continue
            name = named["function"]
            if resources.get(name) == function.rpartition(":")[2] and self._has_tags(stack, function):
                yield _Published(name, function, version)

    def _has_tags(self, stack: Stack, function: str) -> bool:
        """Tell whether a function has the stack's own tags; one that was deleted by hand cannot be another's."""
        tags = self._functions.tags(function)
        return tags is None or all(tags.get(name) == stack.tags.get(name) for name in _OWNER)

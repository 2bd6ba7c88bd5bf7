"""What somebody changed by hand behind CloudFormation's back, which sees none of it, and how it is set right."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from auto_lambda.aws.cloudformation import Stack, Stacks
from auto_lambda.aws.lambda_ import Functions, State
from auto_lambda.model import Say
from worker.bundle.publish import ALIAS
from worker.model import Bundle

_VERSION = re.compile(r"(?P<function>[A-Za-z0-9]+)Version[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class _Published:
    """A function of a stack (its logical id and its ARN) with the version that the stack has published."""

    name: str
    function: str
    version: str


class Drift:
    """Compares the functions of a stack with the versions that the stack has published.

    A version never changes, so it tells what was released, whatever became of the function and its alias since.

    Args:
        stacks: CloudFormation.
        functions: Lambda.
    """

    def __init__(self, stacks: Stacks, functions: Functions) -> None:
        self._stacks = stacks
        self._functions = functions

    def missing(self, stack: Stack) -> str | None:
        """What was deleted by hand, None if all is there. CloudFormation can update nothing that is not there."""
        for it in self._published(stack):
            if self._functions.state(it.function) is None:
                return f"the function {it.function}"
            if self._functions.alias(it.function, ALIAS) is None:
                return f"the alias {ALIAS} of {it.function}"
            if self._functions.state(f"{it.function}:{it.version}") is None:
                return f"version {it.version} of {it.function}"
        return None

    def undo(self, stack: Stack, bundle: Bundle, say: Say) -> None:
        """Before an update: the next version is published from ``$LATEST``, which must be what CloudFormation believes.

        Other code than was released is replaced by the bundle's, which is what comes next; settings by the released.
        """
        for it in self._published(stack):
            if it.name not in bundle.template["Resources"]:
                continue
            latest = self._functions.state(it.function)
            released = self._functions.state(f"{it.function}:{it.version}")
            if latest and released:
                self._undo(it, latest, released, bundle, say)

    def point(self, stack: Stack, say: Say) -> None:
        """After an update: each alias points at the version that the stack has published, and at no other."""
        for it in self._published(stack):
            alias = self._functions.alias(it.function, ALIAS)
            if alias and (alias.version != it.version or alias.weighted):
                say(f"the alias {ALIAS} of {it.name} was moved by hand to {alias.version}; it is moved to {it.version}")
                self._functions.point(it.function, ALIAS, it.version)

    def _undo(self, it: _Published, latest: State, released: State, bundle: Bundle, say: Say) -> None:
        if latest.code_sha256 != released.code_sha256:
            say(f"the code of {it.name} was changed by hand; it is replaced")
            code = bundle.template["Resources"][it.name]["Properties"]["Code"]
            self._functions.set_code(it.function, code["S3Bucket"], code["S3Key"])
        changed = {name: value for name, value in released.settings.items() if latest.settings.get(name) != value}
        if changed:
            say(f"settings of {it.name} were changed by hand: {', '.join(changed)}; they are set back")
            self._functions.set_settings(it.function, changed)

    def _published(self, stack: Stack) -> Iterator[_Published]:
        for logical, arn in sorted(self._stacks.resources(stack.id).items()):
            function, _, version = arn.rpartition(":")
            if (named := _VERSION.fullmatch(logical)) and version.isdecimal():
                yield _Published(named["function"], function, version)

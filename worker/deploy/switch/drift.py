"""Drift: finds and undoes what CloudFormation does not notice: it compares templates, and looks at no function."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from auto_lambda.aws.cloudformation import Stack, Stacks
from auto_lambda.aws.lambda_ import Functions, Published, State
from auto_lambda.model import BuildLog, Template
from worker.bundle import pointers
from worker.bundle.literals import differing
from worker.bundle.pointers import ALIAS
from worker.deploy.own_functions import OwnFunction, functions_not_live, own_functions
from worker.deploy.switch.versions import is_of, same_settings


def missing(functions: Iterable[OwnFunction]) -> str | None:
    """Name what was deleted by hand, None if nothing was. CloudFormation cannot update what is missing."""
    for it in functions:
        if it.latest is None:
            return f"the function {it.function}"
        if it.alias is None:
            return f"the alias {ALIAS} of {it.function}"
        if it.released is None:
            return f"version {it.version} of {it.function}"
    return None


class Drift:
    """Compares the functions of a stack with the versions that the stack says are live.

    A version never changes, so it shows what was released, whatever has happened to the function and its alias since:
    somebody changed it by hand, or a worker that made a version past the stack got no further, or went back.

    Args:
        stacks: CloudFormation.
        functions: Lambda.
    """

    def __init__(self, stacks: Stacks, functions: Functions) -> None:
        self._stacks = stacks
        self._functions = functions

    def look(self, stack: Stack, resources: Mapping[str, str]) -> tuple[OwnFunction, ...]:
        """Return a stack's own functions as they are; see `own_functions`."""
        return own_functions(stack, resources, self._functions)

    def look_at_the_rest(
        self, stack: Stack, template: Template, resources: Mapping[str, str]
    ) -> tuple[OwnFunction, ...]:
        """Return a stack's other functions, of which none is live yet; see `functions_not_live`."""
        return functions_not_live(stack, template, resources, self._functions)

    def undo(self, stack: Stack, template: Template, wanted: Template, log: BuildLog) -> None:
        """Undo changes to ``$LATEST`` before an update, since the next version is published from it.

        Changed code is replaced by that of the release that is deployed next; changed settings by the released ones.
        Where no version is live yet, or one of another release, since an update got no further, there is only the
        stack's template to compare with, as far as it says literally what a function is.

        Args:
            stack: as it is.
            template: that it has.
            wanted: the release that is deployed next.
            log: takes what was changed.
        """
        resources = self._stacks.resources(stack.id)
        for it in (*self.look(stack, resources), *self.look_at_the_rest(stack, template, resources)):
            deployed, latest, released = pointers.release_of(template, it.name), it.latest, it.released
            if it.name not in wanted["Resources"] or deployed is None or latest is None:
                continue
            if released and is_of(released, deployed):
                self._undo(it, latest, released, wanted, log)
                continue
            if latest.code_sha256 != deployed.code_sha256:
                self._replace_code(it, wanted, log)
            self._set_back(it, differing(latest.settings, template, it.name), log)

    def settle(self, stack: Stack, template: Template, log: BuildLog) -> None:
        """Bring ``$LATEST`` in line with what is live where it is of another release than the stack says.

        One that is of that release, with other settings, refers to what was made anew: its version no longer fits.

        Args:
            stack: as it is.
            template: that it has.
            log: takes what is changed.
        """
        for it in self._anew(stack):
            deployed, latest, released = pointers.release_of(template, it.name), it.latest, it.released
            if deployed and latest and released and is_of(released, deployed) and not is_of(latest, deployed):
                self._undo(it, latest, released, template, log)

    def _anew(self, stack: Stack) -> tuple[OwnFunction, ...]:
        return self.look(stack, self._stacks.resources(stack.id))

    def _undo(self, it: OwnFunction, latest: State, released: Published, wanted: Template, log: BuildLog) -> None:
        if latest.code_sha256 != released.code_sha256:
            self._replace_code(it, wanted, log)
        changed = {
            name: value
            for name, value in released.settings.items()
            if not same_settings({name: latest.settings.get(name)}, {name: value})
        }
        self._set_back(it, changed, log)

    def _replace_code(self, it: OwnFunction, wanted: Template, log: BuildLog) -> None:
        log(f"the code of {it.name} is not the released one; it is replaced")
        code = wanted["Resources"][it.name]["Properties"]["Code"]
        self._functions.set_code(it.function, code["S3Bucket"], code["S3Key"])

    def _set_back(self, it: OwnFunction, changed: Mapping[str, Any], log: BuildLog) -> None:
        if changed:
            log(f"settings of {it.name} are not the released ones: {', '.join(changed)}; they are set back")
            self._functions.set_settings(it.function, changed)

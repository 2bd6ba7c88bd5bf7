"""Leads traffic to a release once its versions have answered: expand, publish, verify, switch, front.

docs/explanation/one-template.md tells why each of these may fail, or be repeated by another worker, at any moment.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from auto_lambda.aws.cloudformation import DeployResult, Stack
from auto_lambda.aws.lambda_ import Alias, Functions
from auto_lambda.errors import AppError, Code
from auto_lambda.model import BuildLog, Template
from worker.bundle import pointers
from worker.bundle.expand import expanded, renamed
from worker.bundle.pointers import ALIAS
from worker.bundle.publish import alias_id
from worker.deploy.context import DeployContext
from worker.deploy.outlook import Standing
from worker.deploy.switch.app_stack import AppStack
from worker.deploy.switch.past_stack import PastStack
from worker.deploy.switch.versions import ReleaseVersions
from worker.model import Bundle


@dataclass(frozen=True, slots=True)
class ExpandedStack:
    """A stack that has everything of a release but what leads to it.

    Attributes:
        stack: as it is.
        changed: whether that was not so before.
        functions: names of the release's functions, by logical id.
        live: what their aliases point to, by logical id; those that lead nowhere yet have none.
        past_stack: the release's versions by logical id, where they are there without a stack's update; else None.
    """

    stack: Stack
    changed: bool
    functions: Mapping[str, str]
    live: Mapping[str, Alias]
    past_stack: Mapping[str, str] | None = None

    def differ(self, versions: Mapping[str, str]) -> dict[str, str]:
        """Return those of some versions that are not live, alone."""
        return {name: it for name, it in versions.items() if self.live.get(name) != Alias(it, weighted=False)}

    def qualified(self, versions: Mapping[str, str]) -> dict[str, str]:
        """Return names to invoke, of versions by logical id."""
        return {name: f"{self.functions[name]}:{version}" for name, version in versions.items()}


class Switchover:
    """The steps by which a release takes the place of another one.

    Each may be repeated: a worker that takes over begins with the first one again, and finds what is done.

    Args:
        stack: of apps.
        versions: finds and publishes versions.
        past_stack: makes versions where the stack may follow.
        functions: Lambda.
    """

    def __init__(self, stack: AppStack, versions: ReleaseVersions, past_stack: PastStack, functions: Functions) -> None:
        self._stack = stack
        self._versions = versions
        self._past_stack = past_stack
        self._functions = functions

    def expand(self, bundle: Bundle, context: DeployContext) -> ExpandedStack:
        """Bring about all of a release that leads nobody to it, beside what is live; past the stack, if that is enough.

        Raises:
            AppError: that failed, and the stack is as it was.
        """
        app, wanted, log = bundle.app, bundle.template, context.log
        seen = context.outlook.standing if context.outlook else None
        if seen and (made := self._made_past_stack(seen, wanted, log)) and made.differ(made.past_stack or {}):
            return made  # where nobody has to be led anywhere, what was seen would not be compared with what is
        standing = self._stack.standing(app, log)
        template = expanded(standing.template if standing else None, wanted)
        if standing:
            if made := self._made_past_stack(standing, wanted, log):
                return made
            self._stack.undo_drift(standing.stack, standing.template, wanted, log)
            if template == standing.template:
                return self._expanded(standing.stack, standing.resources, wanted)
        values = standing.stack.parameters if standing else {}
        result = self._stack.update(app, template, values, log, context.warn)
        found = self._expanded(result.stack, self._stack.resources(result.stack), wanted)
        return replace(found, changed=result.changed)

    def publish(self, bundle: Bundle, found: ExpandedStack, log: BuildLog) -> dict[str, str]:
        """Return the version of each function of a release; publish those that there are not."""
        made = found.past_stack or {}
        names = sorted(found.functions, key=lambda one: (one == bundle.main, one))
        versions = {name: made.get(name) or self._published(bundle, found, name) for name in names}
        log(", ".join(f"{name} is version {version}" for name, version in versions.items()))
        return versions

    def switch(self, found: ExpandedStack, versions: Mapping[str, str], log: BuildLog) -> None:
        """Point the aliases that are there at the versions, one atomic call for each, that of the main function last.

        Args:
            found: the stack.
            versions: by logical id, in the order in which they are switched.
            log: takes what is switched.
        """
        said = pointers.versions(found.stack.parameters)
        for name, version in found.differ(versions).items():
            if name not in found.live:
                continue
            before = found.live[name].version
            if before == version:
                log(f"{name}: version {version} takes all the traffic again")
            elif said.get(name) == version:
                log(f"the alias {ALIAS} of {name} is at version {before}, which is not live; it is moved to {version}")
            else:
                log(f"{name}: version {version} takes the traffic of version {before}")
            self._functions.point(found.functions[name], ALIAS, version)

    def front(
        self, bundle: Bundle, found: ExpandedStack, versions: Mapping[str, str], context: DeployContext
    ) -> DeployResult:
        """Bring the stack in line with the release, whose versions are live: routes and triggers come, others go.

        Raises:
            AppError: that failed; the stack is as before, with the aliases at the versions before.
        """
        values = pointers.parameters(versions)
        result = self._stack.update(
            bundle.app, bundle.template, values, context.log, context.warn, live=bool(found.live)
        )
        if found.past_stack is not None:  # CloudFormation compares templates, and may have seen nothing to do
            self._stack.undo_drift(result.stack, bundle.template, bundle.template, context.log)
        return result

    def found(self, standing: Standing, wanted: Template) -> ExpandedStack:
        """Return what a stack has of a release, all of whose functions it has."""
        own = {it.name: it for it in standing.functions}
        functions = {name: standing.resources[name] for name in pointers.functions(wanted)}
        live = {name: alias for name in functions if name in own and (alias := own[name].alias)}
        return ExpandedStack(standing.stack, changed=False, functions=functions, live=live)

    def _made_past_stack(self, standing: Standing, wanted: Template, log: BuildLog) -> ExpandedStack | None:
        """Return the stack once a release's versions are made past it; None if the stack has to go first."""
        _require_same_names(standing.template, wanted)
        versions = self._past_stack.versions(standing, wanted, log)
        return None if versions is None else replace(self.found(standing, wanted), past_stack=versions)

    def _published(self, bundle: Bundle, found: ExpandedStack, name: str) -> str:
        release = pointers.release_of(bundle.template, name)
        assert release is not None  # noqa: S101 - the gate lets no other pass
        return self._versions.publish(found.functions[name], release)

    def _aliases(self, functions: Mapping[str, str], resources: Mapping[str, str]) -> Iterator[tuple[str, Alias]]:
        for name, function in functions.items():
            alias = self._functions.alias(function, ALIAS) if alias_id(name) in resources else None
            if alias:
                yield name, alias

    def _expanded(self, stack: Stack, resources: Mapping[str, str], wanted: Template) -> ExpandedStack:
        functions = {name: resources[name] for name in pointers.functions(wanted)}
        return ExpandedStack(stack, changed=False, functions=functions, live=dict(self._aliases(functions, resources)))


def _require_same_names(live: Template, wanted: Template) -> None:
    if other := renamed(live, wanted):
        raise AppError(
            Code.STACK_FAILED,
            f"{', '.join(other)}: the function gets another name in AWS, so it cannot be tried beside the one that is "
            "live.",
            hint="Undeploy the app before you drop it in this form, or drop it under another name.",
        )

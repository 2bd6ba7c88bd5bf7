"""Tells which log groups a stack makes, and which exist already: CloudFormation refuses to create those."""

from __future__ import annotations

from collections.abc import Callable, Collection

from auto_lambda.aws.cloudformation import Stacks
from auto_lambda.keys import App
from auto_lambda.model import BuildLog, Template
from worker.bundle.log_groups import FOUND, MADE, groups

FindGroups = Callable[[str], Collection[str]]
"""Returns the names of the log groups that begin with a prefix."""


class LogGroupParameters:
    """Chooses the parameters of templates.

    Args:
        stacks: CloudFormation.
        find: see there.
    """

    def __init__(self, stacks: Stacks, find: FindGroups) -> None:
        self._stacks = stacks
        self._find = find

    def choose(self, app: App, template: Template, log: BuildLog) -> dict[str, str]:
        """Return the parameters of a template.

        A group that exists, and that the stack has not made, is left as it is. So are all of them if nobody can tell.

        Args:
            app: whose.
            template: to be deployed.
            log: takes the names of those that are left as they are.
        """
        wanted = groups(template)
        stack = self._stacks.describe(app.stack) if wanted else None
        made = self._stacks.resources(stack.id) if stack else {}
        others = {key: name for key, (logical, name) in wanted.items() if made.get(logical) != name}
        there = self._existing(app, log) if others else frozenset[str]()
        found = {key for key, name in others.items() if there is None or name in there}
        for name in sorted(others[key] for key in found if there is not None):
            log(f"the log group {name} exists already, so its retention stays as it is")
        return {key: FOUND if key in found else MADE for key in sorted(wanted)}

    def _existing(self, app: App, log: BuildLog) -> frozenset[str] | None:
        try:
            return frozenset(self._find(f"/aws/lambda/{app.function}"))
        except Exception as error:  # noqa: BLE001 - a deployment does not fail for its logs
            log(f"log groups are left as they are, since they cannot be listed: {type(error).__name__}")
            return None

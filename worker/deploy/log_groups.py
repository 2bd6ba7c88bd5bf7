"""Tells which log groups a stack makes, and which exist already: CloudFormation refuses to create those."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from botocore.exceptions import ClientError

from auto_lambda.aws.cloudformation import Stacks
from auto_lambda.keys import App
from auto_lambda.model import BuildLog, Template
from worker.bundle.log_groups import FOUND, MADE, groups

_DENIED = frozenset({"AccessDenied", "AccessDeniedException"})

FindGroups = Callable[[str], Mapping[str, int | None]]
"""Returns the days that the log groups whose names begin with a prefix keep events; None: for ever."""


class LogGroupParameters:
    """Chooses the parameters of templates.

    Args:
        stacks: CloudFormation.
        find: see there.
    """

    def __init__(self, stacks: Stacks, find: FindGroups) -> None:
        self._stacks = stacks
        self._find = find

    def choose(
        self, app: App, template: Template, log: BuildLog, warn: Callable[[str], None] = lambda _: None
    ) -> dict[str, str]:
        """Return the parameters of a template.

        A group that exists, and that the stack has not made, is left as it is. So are all of them if nobody can tell.

        Args:
            app: whose.
            template: to be deployed.
            log: takes the names of those that are left as they are.
            warn: takes how to set the retention of those of them that have none.
        """
        wanted = groups(template)
        stack = self._stacks.describe(app.stack) if wanted else None
        made = self._stacks.resources(stack.id) if stack else {}
        others = {key: name for key, (logical, name) in wanted.items() if made.get(logical) != name}
        there = self._existing(app, log) if others else {}
        found = {key for key, name in others.items() if there is None or name in there}
        for name in sorted(others[key] for key in found if there is not None):
            log(f"the log group {name} exists already, so its retention stays as it is")
            self._tell_unlimited(template, name, there, warn)
        return {key: FOUND if key in found else MADE for key in sorted(wanted)}

    def _tell_unlimited(
        self, template: Template, name: str, there: Mapping[str, int | None] | None, warn: Callable[[str], None]
    ) -> None:
        days = next(
            one["Properties"].get("RetentionInDays")
            for one in template["Resources"].values()
            if one.get("Properties", {}).get("LogGroupName") == name
        )
        if days and there and there[name] is None:
            warn(
                f"the log group {name} keeps its events for ever, since Lambda made it before the app's stack did. To "
                f"limit it: aws logs put-retention-policy --log-group-name {name} --retention-in-days {days}"
            )

    def _existing(self, app: App, log: BuildLog) -> Mapping[str, int | None] | None:
        """Return what is there; None if the rights to look are missing, for which no deployment fails."""
        try:
            return self._find(f"/aws/lambda/{app.function}")
        except ClientError as error:
            # Anything else passes. To go on without knowing would leave the app without a retention for good.
            code = error.response.get("Error", {}).get("Code")
            if code not in _DENIED:
                raise
            log(f"log groups are left as they are, since they cannot be listed: {code}")
            return None

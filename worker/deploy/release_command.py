"""The release command: runs as the new version of an app while the earlier one still takes the traffic.

The stack is updated twice for it. First to a template whose aliases stay at the versions where they are: everything
else is the new release's, and its versions are published. Then, if the command has not failed, to the release itself.
"""

from __future__ import annotations

from collections.abc import Mapping

from auto_lambda.aws.cloudformation import Stack, Stacks
from auto_lambda.aws.lambda_ import Functions
from auto_lambda.errors import AppError, Code
from auto_lambda.model import BuildLog, Template
from worker.bundle.log_groups import group_of
from worker.bundle.publish import ALIAS
from worker.deploy.function_log import FunctionLogs
from worker.model import Bundle


class ReleaseCommand:
    """Runs release commands.

    Args:
        stacks: CloudFormation.
        functions: Lambda.
        logs: what functions log.
    """

    def __init__(self, stacks: Stacks, functions: Functions, logs: FunctionLogs) -> None:
        self._logs = logs
        self._stacks = stacks
        self._functions = functions

    def held(self, stack: Stack, template: Template) -> Template:
        """Return a template that publishes a release's versions, with the aliases at those of what is live."""
        return held(template, self._live(stack, template))

    def run(self, bundle: Bundle, outputs: Mapping[str, str], log: BuildLog) -> None:
        """Run the command of a bundle in the version that its stack has published.

        Raises:
            AppError: ``release-failed``.
        """
        command = bundle.release_command or {}
        shown = " ".join(command.values())
        function, version = outputs["AutoLambdaFunction"], outputs["AutoLambdaVersion"]
        log(f"release command, in version {version}: {shown}")
        began = self._logs.now()
        answer = self._functions.invoke(f"{function}:{version}", dict(command))
        if answer.error:
            raise AppError(
                Code.RELEASE_FAILED,
                f"The release command failed: {shown}: {answer.error}: {answer.message}",
                hint="Mend it and drop the zip again. What the command did before it failed is not undone.",
                function_log=self._logs.of(answer, group_of(bundle.template, bundle.main, bundle.app), began),
            )
        log(answer.log)

    def _live(self, stack: Stack, template: Template) -> dict[str, str]:
        resources = self._stacks.resources(stack.id)
        found = {}
        for name, one in template["Resources"].items():
            if one["Type"] != "AWS::Lambda::Alias" or name not in resources:
                continue
            function = resources.get(one["Properties"]["FunctionName"].get("Ref", ""))
            if function and (alias := self._functions.alias(function, ALIAS)):
                found[name] = alias.version
        return found


def held(template: Template, versions: Mapping[str, str]) -> Template:
    """Return a template whose aliases point at these versions, by logical id; the input is not changed."""
    resources = dict(template["Resources"])
    for name, version in versions.items():
        properties = {**resources[name]["Properties"], "FunctionVersion": version}
        resources[name] = {**resources[name], "Properties": properties}
    return {**template, "Resources": resources}

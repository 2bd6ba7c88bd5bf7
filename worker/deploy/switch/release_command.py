"""The release command: runs as the new version of an app while the earlier one still takes the traffic."""

from __future__ import annotations

from auto_lambda.aws.lambda_ import Functions
from auto_lambda.errors import AppError, Code
from auto_lambda.model import BuildLog
from worker.bundle.log_groups import group_of
from worker.deploy.function_log import FunctionLogs
from worker.model import Bundle


class ReleaseCommand:
    """Runs release commands.

    Args:
        functions: Lambda.
        logs: what functions log.
    """

    def __init__(self, functions: Functions, logs: FunctionLogs) -> None:
        self._logs = logs
        self._functions = functions

    def run(self, bundle: Bundle, version: str, log: BuildLog) -> None:
        """Run the command of a bundle.

        Args:
            bundle: with a command.
            version: the qualified name of the version of its main function.
            log: takes what it prints.

        Raises:
            AppError: ``release-failed``.
        """
        command = bundle.release_command or {}
        shown = " ".join(command.values())
        log(f"release command, in version {version.rpartition(':')[2]}: {shown}")
        began = self._logs.now()
        answer = self._functions.invoke(version, dict(command))
        if answer.error:
            raise AppError(
                Code.RELEASE_FAILED,
                f"The release command failed: {shown}: {answer.error}: {answer.message}",
                hint="Mend it and drop the zip again. What the command did before it failed is not undone.",
                function_log=self._logs.of(answer, group_of(bundle.template, bundle.main, bundle.app), began),
            )
        log(answer.log)

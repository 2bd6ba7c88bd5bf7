"""Creates, updates and removes flex stacks. The phases of one are the controller's; a drop leaves them as they are."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from auto_lambda.aws.cloudformation import Plan, Stack, StackFailed, Stacks
from auto_lambda.aws.s3 import ObjectStore
from auto_lambda.errors import AppError, Code
from auto_lambda.keys import App
from auto_lambda.model import BuildLog
from auto_lambda.namespace import FLEX_TAG
from worker.bundle.domains import DOMAIN_OUTPUT, FRONT_OUTPUT
from worker.bundle.flex.images import is_pinned
from worker.bundle.flex.parts import CONTROLLER, FLEX_ROLE, EntrypointFile
from worker.bundle.flex.tasks import image
from worker.bundle.flex.template import START, flex_template
from worker.deploy.artifacts import store_artifacts, store_template
from worker.deploy.flex.compile import OwnStack, flex_parts
from worker.deploy.flex.fitness import cannot_flex, domain_of
from worker.deploy.flex.gate import problems
from worker.deploy.stack_errors import stack_failures
from worker.model import Artifact, Bundle, DeployTarget
from worker.ownership import foreign, stack_tags

_ON_LAMBDA = START["Phase"]

PackEntrypoint = Callable[[Path], Path]
"""Writes the program of tasks into a folder, and returns its zip; equal ones are equal byte by byte."""


class FlexStacks:
    """The second stacks of apps.

    Args:
        stacks: CloudFormation.
        store: S3.
        target: where apps are deployed to.
        pack: writes the program of tasks.
    """

    def __init__(self, stacks: Stacks, store: ObjectStore, target: DeployTarget, pack: PackEntrypoint) -> None:
        self._stacks = stacks
        self._store = store
        self._target = target
        self._pack = pack

    def find(self, app: App, *, known: bool) -> Stack | None:
        """Return the flex stack of an app, None without one.

        Raises:
            AppError: a stack of that name is not ours.
        """
        stack = self._stacks.describe(app.flex_stack)
        if stack and (whose := foreign(stack.tags, app, self._target.pipeline, known=known)):
            raise AppError(
                Code.STACK_NOT_OURS,
                f"The app needs the stack {app.flex_stack}, which exists and {whose}.",
                hint="Remove that stack, or take [flex] out of auto-lambda.toml.",
            )
        return stack

    def is_ours(self, app: App) -> bool:
        """Tell whether an app has a flex stack that this pipeline has made."""
        stack = self._stacks.describe(app.flex_stack)
        return stack is not None and not foreign(stack.tags, app, self._target.pipeline, known=False)

    def require_controller(self) -> None:
        """Raise if nobody would move the traffic: the app would stay on Lambda without a word.

        Raises:
            AppError: ``cannot-flex``.
        """
        if self._stacks.describe(CONTROLLER.stack) is None:
            raise _no_controller()

    def require_on_lambda(self, app: App, stack: Stack | None) -> None:
        """Raise if an app that no longer flexes runs on Fargate: its traffic has to leave there first.

        Raises:
            AppError: ``cannot-flex``.
        """
        if stack and stack.parameters.get("Phase", _ON_LAMBDA) != _ON_LAMBDA:
            raise cannot_flex(
                f"it runs on Fargate ({stack.name} is in phase {stack.parameters['Phase']}), and the zip has no [flex]",
                hint=f"Bring it back, `auto-lambda flex down {app.name} --stage {app.stage}`, then drop it again.",
            )

    def can_go_first(self, bundle: Bundle, own: Stack | None) -> bool:
        """Tell whether the app's own stack already has what the flex stack needs of it."""
        if own is None or FRONT_OUTPUT not in own.outputs:
            return False
        return own.outputs.get(DOMAIN_OUTPUT, "").partition("://")[2].startswith(f"{domain_of(bundle)}/")

    def deploy(self, bundle: Bundle, boundary_arn: str, own: Stack, log: BuildLog) -> None:
        """Make the flex stack that of a release. CloudFormation waits until its tasks are healthy, or takes them back.

        Args:
            bundle: the release, which flexes.
            boundary_arn: of the app.
            own: the app's own stack.
            log: takes progress.

        Raises:
            AppError: it cannot flex, or the tasks do not become healthy.
        """
        target = self._target.with_boundary(boundary_arn)
        with TemporaryDirectory() as folder:
            entrypoint = self._stored_entrypoint(Path(folder), log)
        ids = self._stacks.resources(own.id)
        parts = flex_parts(bundle, OwnStack(own.outputs, ids), target, entrypoint)
        template = flex_template(parts)
        if refused := list(problems(template, parts)):
            raise RuntimeError(f"the flex stack of {bundle.app} is not as it should be: {refused[0]}")
        if not is_pinned(image(parts)):
            log(f"the tasks run whatever {image(parts)} is when they start: no digest of it is known")
        key = store_template(self._store, self._target.artifacts_bucket, template, log)
        app = bundle.app
        existing = self._stacks.describe(app.flex_stack)
        plan = Plan(
            app.flex_stack,
            url=self._store.url(self._target.artifacts_bucket, key),
            parameters={} if existing else START,
            kept=tuple(START) if existing else (),
            tags={**stack_tags(app, self._target.pipeline), FLEX_TAG: "1"},
            role_arn=self._role_arn,
        )
        with stack_failures(app, app.flex_stack):
            try:
                result = self._stacks.deploy(plan, log)
            except StackFailed as failure:
                if failure.resource is None and FLEX_ROLE.rpartition("/")[2] in failure.reason:
                    raise _no_controller() from failure
                if failure.resource == "Service" and not failure.passing:
                    raise _unhealthy_tasks(app, failure) from failure
                raise
        if not result.changed:
            log(f"{app.flex_stack} has it already")

    def remove(self, app: App, log: BuildLog) -> None:
        """Delete the flex stack of an app, if it has one."""
        with stack_failures(app, app.flex_stack):
            self._stacks.delete(app.flex_stack, log)

    @property
    def _role_arn(self) -> str:
        place = self._target.place
        return f"arn:{place.partition}:iam::{place.account}:role/{FLEX_ROLE}"

    def _stored_entrypoint(self, folder: Path, log: BuildLog) -> EntrypointFile:
        path = self._pack(folder)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        key = f"entrypoints/{digest}.zip"
        store_artifacts(self._store, self._target.artifacts_bucket, [Artifact(path, key)], log)
        return EntrypointFile(key, digest)


def _unhealthy_tasks(app: App, failure: StackFailed) -> AppError:
    return AppError(
        Code.STACK_FAILED,
        f"The tasks of this release do not stay up and healthy on Fargate: {failure.reason}",
        hint=f"Read the log group /aws/lambda/{app.function}/fargate. The tasks are those of the release before again, "
        "and the function was not changed.",
    )


def _no_controller() -> AppError:
    return cannot_flex(
        "the flex controller, which moves the traffic, is not installed in this pipeline",
        hint="Ask the platform team to install it.",
    )

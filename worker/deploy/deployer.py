"""Make a bundle live, see that it answers, and go back if it does not."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from auto_lambda.aws.cloudformation import Plan, Result, Stack, StackFailed, Stacks
from auto_lambda.aws.lambda_ import Functions
from auto_lambda.aws.s3 import ObjectMissing, ObjectStore
from auto_lambda.aws.urls import callable_url
from auto_lambda.errors import AppError, Code
from auto_lambda.keys import App
from auto_lambda.model import BucketNotification, Say, Template
from worker.bundle import release
from worker.bundle.publish import ALIAS, alias_output
from worker.deploy.bucket_notifications import BucketEvents, Hook
from worker.deploy.drift import Drift
from worker.deploy.gate.gate import pass_gate
from worker.deploy.verify import HttpAnswer, Unhealthy, Verifier, get
from worker.errors import RolledBack
from worker.model import Artifact, Bundle, Deployment, Surroundings

_OURS = re.compile(
    r"rate exceeded|throttl|internal ?(failure|error)|service ?unavailable|is not authorized to perform",
    re.IGNORECASE,
)

_NOTHING_LIVE = frozenset({"CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED"})

Context = AbstractContextManager[None]


def _unwatched(_: str) -> Context:
    return nullcontext()


class Deployer:
    """The back end: knows bundles, and no framework.

    Args:
        store: S3.
        stacks: CloudFormation.
        functions: Lambda.
        surroundings: what bundles were made for.
        fetch: one GET.
        sleep: waits that many seconds.
    """

    def __init__(
        self,
        store: ObjectStore,
        stacks: Stacks,
        functions: Functions,
        surroundings: Surroundings,
        *,
        fetch: Callable[[str], HttpAnswer] = get,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._store = store
        self._stacks = stacks
        self._drift = Drift(stacks, functions)
        self._surroundings = surroundings
        self._bucket_events = BucketEvents(store, sleep)
        self._verifier = Verifier(functions, surroundings.endpoint, fetch=fetch, sleep=sleep)

    def deploy(
        self,
        bundle: Bundle,
        previous: str | None,
        say: Say,
        verifying: Callable[[], Context] = nullcontext,
        effect: Callable[[str], Context] = _unwatched,
        condemned: AppError | None = None,
    ) -> Deployment:
        """Take a bundle through gate, artifacts, stack, bucket events and verification.

        Args:
            bundle: what should be live.
            previous: template key of what is live now, to go back to; None for a first deploy.
            say: told of progress.
            verifying: makes the context that it is tried out in.
            effect: makes the context of each change in AWS, by name; what it raises ends the work before the change.
            condemned: what was wrong with the bundle when a worker that is no more had deployed it.

        Raises:
            AppError: refused, failed or unhealthy. What was live before is live again (or still).
            Exception: ours; what was live before is live, or the bundle is.
        """
        self._own(bundle.app)
        if condemned:
            # The receipt names the step that it failed at, whoever tells it in the end.
            with verifying() if condemned.code is Code.UNHEALTHY else nullcontext():
                say("It was deployed before and found faulty, so it is not tried again.")
            raise self._taken_back(bundle, previous, condemned, say, effect)
        pass_gate(bundle, self._surroundings)
        if bundle.artifacts:
            with effect("artifacts"):
                self._upload(bundle.artifacts, say)
        with effect("stack"):
            result = self._bring_about(bundle, say)
        try:
            with effect("events"):
                self._hang_events(bundle.app, bundle.notifications, result.stack, self._notifications_of(previous), say)
            with verifying(), effect("verify"):
                self._verify(bundle, result.stack, say)
        except AppError as error:
            raise self._taken_back(bundle, previous, error, say, effect) from error
        return self._deployment(bundle.template_key, result)

    def stored(self, app: App, template_key: str) -> Bundle | None:
        """A release that was stored before, ready to be deployed; None if it is not there any more."""
        template = self._template(template_key)
        return release.bundle(app, template_key, template) if template else None

    def remove(self, app: App, previous: str | None, say: Say, effect: Callable[[str], Context] = _unwatched) -> None:
        """Take an app out of AWS; nothing happens if it is not there.

        Args:
            app: which.
            previous: template key of what is live.
            say: told of progress.
            effect: as for `deploy`.

        Raises:
            AppError: there is a stack of that name that is not ours, or it could not be deleted.
        """
        self._own(app)
        with effect("events"):
            self._bucket_events.apply(app, (), self._notifications_of(previous), say)
        with effect("stack"), _refusals(app):
            self._stacks.delete(app.stack, say)

    def _own(self, app: App) -> Stack | None:
        stack = self._stacks.describe(app.stack)
        if stack and not _tags(app).items() <= stack.tags.items():
            whose = f"{stack.tags.get('auto-lambda:stage')}/{stack.tags.get('auto-lambda:app')}"
            made_by = f"belongs to {whose}" if "auto-lambda:app" in stack.tags else "was not made by this pipeline"
            raise AppError(
                Code.STACK_NOT_OURS,
                f"The app needs the stack {app.stack}, which exists and {made_by}.",
                hint="Give the app or its stage another name, or remove that stack first.",
            )
        return stack

    def _upload(self, artifacts: Iterable[Artifact], say: Say) -> None:
        bucket = self._surroundings.artifacts_bucket
        for artifact in artifacts:
            if self._store.exists(bucket, artifact.key):
                say(f"{artifact.key} is stored already")
            else:
                self._store.upload(bucket, artifact.key, artifact.path)
                say(f"{artifact.key} stored, {artifact.path.stat().st_size:,} bytes")

    def _bring_about(self, bundle: Bundle, say: Say) -> Result:
        """The stack with all that it deploys, whatever state it was in and whatever was changed by hand."""
        app = bundle.app
        with _refusals(app):
            stack = self._stacks.settle(self._plan(app, bundle.template_key), say)
            if stack and (missing := self._drift.missing(stack)):
                say(f"{missing} was deleted by hand: {app.stack} is deleted and created anew; its URL may be another")
                self._stacks.delete(stack.id, say)
                stack = None
        if stack:
            self._drift.undo(stack, bundle, say)
        result = self._update(app, bundle.template_key, say)
        self._drift.point(result.stack, say)
        return result

    def _plan(self, app: App, template_key: str) -> Plan:
        return Plan(app.stack, url=self._store.url(self._surroundings.artifacts_bucket, template_key), tags=_tags(app))

    def _update(self, app: App, template_key: str, say: Say) -> Result:
        with _refusals(app):
            result = self._stacks.deploy(self._plan(app, template_key), say)
        if not result.changed:
            say(f"{app.stack} has it already")
        return result

    def _verify(self, bundle: Bundle, stack: Stack, say: Say) -> None:
        try:
            self._verifier.verify(bundle, stack.outputs, say)
        except Unhealthy as error:
            raise AppError(
                Code.UNHEALTHY,
                f"Deployed, but {error}",
                hint="Look at the function's own log for the reason; `health_path` in auto-lambda.toml chooses "
                "another path to ask for.",
            ) from error

    def _hang_events(
        self,
        app: App,
        wanted: tuple[BucketNotification, ...],
        stack: Stack,
        before: tuple[BucketNotification, ...],
        say: Say,
    ) -> None:
        hooks = [Hook(item, stack.outputs[alias_output(item.function)]) for item in wanted]
        self._bucket_events.apply(app, hooks, before, say)

    def _taken_back(
        self, bundle: Bundle, previous: str | None, error: AppError, say: Say, effect: Callable[[str], Context]
    ) -> AppError:
        """The error to raise once what was live before is live again."""
        with effect("going back"):
            restored = self._go_back(bundle, previous, error, say)
        return RolledBack(error, restored) if restored else error

    def _go_back(self, bundle: Bundle, previous: str | None, error: AppError, say: Say) -> Deployment | None:
        # Not asked is whether we have changed the stack: a worker that died before us may have done it.
        if previous is None or previous == bundle.template_key:
            say(f"{error.message}\nThere is no earlier release to go back to; this one stays deployed.")
            return None
        say(f"{error.message}\nGoing back to what was live before.")
        return self.restore(bundle.app, bundle.template_key, previous, say)

    def restore(self, app: App, template_key: str | None, previous: str, say: Say) -> Deployment | None:
        """Deploy an earlier release again; None, and the reason in the log, if that cannot be done.

        Args:
            app: whose.
            template_key: of what may have been deployed since.
            previous: template key of what is to be live again.
            say: told of progress.
        """
        try:
            result = self._update(app, previous, say)
            later = self._notifications_of(template_key)
            self._hang_events(app, self._notifications_of(previous), result.stack, later, say)
        except AppError as failure:
            say(f"That failed too: {failure.message}")
            return None
        return self._deployment(previous, result)

    def _notifications_of(self, template_key: str | None) -> tuple[BucketNotification, ...]:
        template = self._template(template_key) if template_key else None
        return release.notifications(template) if template else ()

    def _template(self, template_key: str) -> Template | None:
        try:
            stored: Template = json.loads(self._store.get(self._surroundings.artifacts_bucket, template_key))
        except ObjectMissing:
            return None
        return stored

    def _deployment(self, template_key: str, result: Result) -> Deployment:
        outputs: Mapping[str, Any] = result.stack.outputs
        url = outputs.get("AutoLambdaUrl")
        return Deployment(
            stack=result.stack.name,
            function=outputs["AutoLambdaFunction"],
            version=outputs["AutoLambdaVersion"],
            alias=ALIAS,
            url=callable_url(url, self._surroundings.endpoint) if url else None,
            template_key=template_key,
            changed=result.changed,
        )


@contextmanager
def _refusals(app: App) -> Iterator[None]:
    """What CloudFormation refuses is told the uploader, unless it is ours."""
    try:
        yield
    except StackFailed as failure:
        if _OURS.search(failure.reason):
            raise
        where = f"{failure.resource}: " if failure.resource else ""
        raise AppError(
            Code.STACK_FAILED,
            f"CloudFormation could not bring the stack {app.stack} about: {where}{failure.reason}",
            hint=_hint(failure),
        ) from failure


def _hint(failure: StackFailed) -> str:
    which = failure.resource or "what the message names"
    match failure.status:
        case "UPDATE_ROLLBACK_FAILED":
            return (
                f"AWS could not go back either. See to {which} in AWS, then drop the zip again: the rollback is "
                f"continued first. To leave {which} as it is, whoever runs the pipeline may say so: aws cloudformation "
                f"continue-update-rollback --stack-name {failure.stack} --resources-to-skip {which}"
            )
        case "DELETE_FAILED":
            return f"Remove whatever holds {which} in AWS, then drop the zip again: the deletion is tried again first."
        case status if status in _NOTHING_LIVE:
            return (
                "Correct what the message names in the app's settings. Nothing was live before; the next drop deletes "
                "what is left of this try."
            )
    return "Correct what the message names in the app's settings. What was live before still is."


def _tags(app: App) -> dict[str, str]:
    """On the stack, and by CloudFormation on everything in it."""
    return {"auto-lambda:app": app.name, "auto-lambda:stage": app.stage}

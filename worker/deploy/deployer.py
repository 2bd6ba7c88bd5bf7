"""Deploys a bundle, verifies that it answers, and rolls back if it does not."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from typing import Any

from auto_lambda.aws.cloudformation import DeployResult, Stack, Stacks
from auto_lambda.aws.lambda_ import Functions
from auto_lambda.aws.s3 import ObjectMissing, ObjectStore
from auto_lambda.aws.urls import callable_url
from auto_lambda.errors import AppError, Code
from auto_lambda.keys import App
from auto_lambda.model import BucketNotification, BuildLog, Template
from auto_lambda.receipts import LATEST
from worker.bundle import release
from worker.bundle.domains import DOMAIN_OUTPUT
from worker.bundle.pointers import ALIAS, pointed
from worker.bundle.publish import alias_output
from worker.deploy.artifacts import store_artifacts
from worker.deploy.at_once import both
from worker.deploy.bucket_notifications import BucketNotifications, BucketSubscription, check_buckets
from worker.deploy.context import DeployContext
from worker.deploy.flex.capacity import tight
from worker.deploy.flex.fitness import require_fit
from worker.deploy.flex.order import FlexOrder
from worker.deploy.flex.packing import pack_entrypoint
from worker.deploy.flex.stack import FlexStacks, PackEntrypoint
from worker.deploy.function_log import FunctionLogs
from worker.deploy.gate.access import AppAccess
from worker.deploy.gate.gate import pass_gate
from worker.deploy.http_get import HttpAnswer
from worker.deploy.log_groups import FindGroups, LogGroupParameters
from worker.deploy.outlook import Outlook, Standing
from worker.deploy.rights.bounded import beyond
from worker.deploy.rights.permissions import digest
from worker.deploy.rights.review import Review, needs_approval, require_granted, review
from worker.deploy.stack_errors import stack_failures
from worker.deploy.switch.app_stack import AppStack
from worker.deploy.switch.drift import Drift
from worker.deploy.switch.past_stack import PastStack
from worker.deploy.switch.release_command import ReleaseCommand
from worker.deploy.switch.rollout import Rollout
from worker.deploy.switch.shifter import TrafficShifter
from worker.deploy.switch.switchover import ExpandedStack, Switchover
from worker.deploy.switch.version_check import VersionCheck
from worker.deploy.switch.versions import ReleaseVersions
from worker.deploy.unhealthy import told_unhealthy
from worker.deploy.verify import Verifier
from worker.model import Bundle, Deployment, DeployTarget
from worker.outcome import Failed
from worker.ownership import foreign
from worker.traffic.shift import Shift


class Deployer:
    """The back end, which knows bundles but no framework.

    Args:
        store: S3.
        stacks: CloudFormation.
        functions: Lambda.
        target: the buckets, the boundary and the region that bundles are made for.
        fetch: one GET; see `Verifier`.
        sleep: waits that many seconds.
        approved: who has approved a set of permissions of an app, by its hash; None if nobody has.
        look_up: raises `AppError` for what the bundle needs and the account lacks, and takes a place for warnings.
        find_log_groups: see there.
        pack_entrypoint: writes the program of tasks on Fargate.
        function_logs: what functions log; by default only what Lambda returns of it.
        shifter: shifts traffic; None: new versions get all of it at once.
    """

    def __init__(
        self,
        store: ObjectStore,
        stacks: Stacks,
        functions: Functions,
        target: DeployTarget,
        *,
        fetch: Callable[[str], HttpAnswer] | None = None,
        sleep: Callable[[float], None] = time.sleep,
        approved: Callable[[App, str], str | None] = lambda _app, _digest: None,
        look_up: Callable[[Bundle, Callable[[str], None]], None] = lambda _bundle, _warn: None,
        find_log_groups: FindGroups = lambda _prefix: {},
        pack_entrypoint: PackEntrypoint = pack_entrypoint,
        function_logs: FunctionLogs | None = None,
        shifter: TrafficShifter | None = None,
    ) -> None:
        logs = function_logs or FunctionLogs()
        self._store = store
        self._stacks = stacks
        self._versions = functions.versions
        self._target = target
        self._approved = approved
        self._look_up = look_up
        self._flex = FlexOrder(FlexStacks(stacks, store, target, pack_entrypoint), stacks, self.stored)
        self._bucket_notifications = BucketNotifications(store, sleep)
        self._verifier = Verifier(functions, target.endpoint, fetch=fetch, sleep=sleep, logs=logs)
        drift = Drift(stacks, functions)
        self._stack = AppStack(store, stacks, drift, LogGroupParameters(stacks, find_log_groups), target)
        published = ReleaseVersions(functions)
        self._rollout = Rollout(
            self._stack,
            Switchover(self._stack, published, PastStack(functions), functions),
            published,
            VersionCheck(functions, target.region, logs, sleep=sleep),
            ReleaseCommand(functions, logs),
            shifter,
        )

    def deploy(
        self,
        bundle: Bundle,
        access: AppAccess,
        previous: str | None,
        context: DeployContext,
        known_failure: AppError | None = None,
    ) -> Deployment | Failed:
        """Take a bundle through gate, review of rights, artifacts, approval, switchover and bucket events.

        A release that fails once it is beside what is live is taken away again, and returned as `Failed`.

        Args:
            bundle: what should be live.
            access: what the app may reach.
            previous: template key of what is live now, to roll back to; None for a first deploy.
            context: takes progress.
            known_failure: how the bundle failed after a worker that has since died had deployed it.

        Raises:
            AppError: refused, or the stack failed. What was live before is still live.
            Exception: our side failed; either what was live before or the bundle is live.
        """
        log, effect, outlook = context.log, context.effect, context.outlook or Outlook()
        self._require_ownership(bundle.app, previous, outlook.standing)
        live = outlook.live or (self._template(previous) if previous else None)
        if known_failure:
            # The receipt tells the same rights and the same step that failed, whichever worker writes it.
            self._review(bundle, access, live, context)
            with context.verifying() if known_failure.code is Code.UNHEALTHY else nullcontext():
                log("It was deployed before and failed, so it is not tried again.")
        if failure := known_failure or self._rollout.shift_failed(bundle, context):
            return self._roll_back(bundle, previous, failure, context)
        check_buckets(bundle.notifications)
        pass_gate(bundle, access.target(self._target), access)
        require_fit(bundle, self._target)
        if bundle.flex and (warning := tight(bundle.flex)):
            context.warn(warning)
        flexed = self._flex.admit(bundle, known=previous is not None) if bundle.flex or _flexes(live) else None
        reviewed = self._review(bundle, access, live, context)
        if access.rights == "granted":
            require_granted(access.app, reviewed)
        if withheld := beyond(reviewed.asked, access.target(self._target).boundary_arn):
            context.warn(withheld)
        self._look_up(bundle, context.warn)
        if bundle.artifacts:
            with effect("artifacts"):
                store_artifacts(self._store, self._target.artifacts_bucket, bundle.artifacts, log)
        if missing := self._missing_approval(bundle, access, reviewed, log):
            return Failed(missing)
        boundary = access.target(self._target).boundary_arn
        found = self._tasks_and_expand(bundle, boundary, previous, context)
        try:
            result = self._rollout.lead(bundle, found, context)
            self._flex.after(bundle, boundary, result.stack, effect, log)
            with effect("events"):
                self._subscribe_buckets(bundle.app, bundle.notifications, result.stack, _notifications(live), log)
            with context.verifying(), effect("routes"), told_unhealthy("Deployed, but"):
                self._verifier.verify(bundle, result.stack.outputs, self._stack.resources(result.stack), log)
        except AppError as error:
            return self._roll_back(bundle, previous, error, context)
        if flexed and bundle.flex is None:
            self._flex.drop(bundle.app, effect, log)
        return self._deployment(bundle.template_key, result)

    def _tasks_and_expand(
        self, bundle: Bundle, boundary: str, previous: str | None, context: DeployContext
    ) -> ExpandedStack:
        """Move the tasks to the release, if there are any, then bring about what the function needs; or neither."""
        tasks_first = self._flex.before(bundle, boundary, context.effect, context.log)
        if tasks_first:
            context = replace(context, outlook=None)  # that has taken minutes
        try:
            return self._rollout.expand(bundle, context)
        except AppError:
            if tasks_first:
                with context.effect("going back"):
                    self._flex.back(bundle.app, previous, boundary, context.log)
            raise

    def look(self, app: App, previous: str | None) -> Outlook:
        """Read what a deployment of an app needs to know of it, and need not ask again if it begins soon.

        Args:
            app: to look at, under its lease.
            previous: template key of what is live now.
        """
        began = time.monotonic()
        seen, live = both(partial(self._stack.look, app), lambda: self._template(previous) if previous else None)
        return Outlook(seen, live, began)

    def end_shift(self, shift: Shift, log: BuildLog) -> None:
        """Lead all traffic back to what is live: another release comes in place of the one that it shifted to."""
        self._rollout.end_shift(shift, log)

    def _review(self, bundle: Bundle, access: AppAccess, live: Template | None, context: DeployContext) -> Review:
        target = self._target
        found = review(access.app, bundle.template, live, access.grants, target.place, target.own_names)
        context.reviewed(found, access.rights)
        return found

    def _missing_approval(self, bundle: Bundle, access: AppAccess, found: Review, log: BuildLog) -> AppError | None:
        """Return the error of a release that waits for an approval; its artifacts are stored, so it can go on."""
        if access.grants.approve != "widenings" or not found.diff.widenings:
            return None
        if approval := self._approved(access.app, digest(bundle.template)):
            log(approval)
            return None
        return needs_approval(access.app, found)

    def stored(self, app: App, template_key: str) -> Bundle | None:
        """Return a stored release, ready to be deployed; None if it no longer exists."""
        template = self._template(template_key)
        return release.bundle(app, template_key, template) if template else None

    def standing(self, app: App) -> Deployment | None:
        """Return what the app's stack has, healthy or not; None if it has no function."""
        stack = self._stacks.describe(app.stack)
        if stack is None or "AutoLambdaFunction" not in stack.outputs:
            return None
        return self._deployment("", DeployResult(stack, changed=False))

    def lock(self, template_key: str) -> str | None:
        """Return the lock of a stored release, empty without dependencies; None if it no longer exists."""
        template = self._template(template_key)
        if template is None or (key := release.stored_lock(template)) is None:
            return None if template is None else ""
        try:
            return self._store.get(self._target.artifacts_bucket, key).decode()
        except ObjectMissing:
            return None

    def remove(self, app: App, previous: str | None, context: DeployContext) -> None:
        """Remove an app from AWS; do nothing if it is not there.

        Args:
            app: to remove.
            previous: template key of what is live.
            context: takes progress.

        Raises:
            AppError: the stack of that name is not ours, or it could not be deleted.
        """
        self._require_ownership(app, previous)
        live = self._template(previous) if previous else None
        with context.effect("events"):
            self._bucket_notifications.apply(app, (), _notifications(live), context.log)
        if _flexes(live) or (live is None and self._flex.stands(app)):
            self._flex.drop(app, context.effect, context.log)
        with context.effect("stack"), stack_failures(app):
            self._stacks.delete(app.stack, context.log)
            self._delete_layers(app, context.log)

    def _delete_layers(self, app: App, log: BuildLog) -> None:
        """Delete what the stack has retained. The versions of functions are gone with the functions."""
        arns = self._versions.of_layer(app.stack)
        for arn in arns:
            self._versions.delete_layer(app.stack, int(arn.rpartition(":")[2]))
        if arns:
            log(f"{len(arns)} versions of the layer {app.stack} deleted")

    def _require_ownership(self, app: App, previous: str | None, seen: Standing | None = None) -> None:
        stack = seen.stack if seen else self._stacks.describe(app.stack)
        if stack and (whose := foreign(stack.tags, app, self._target.pipeline, known=previous is not None)):
            raise AppError(
                Code.STACK_NOT_OURS,
                f"The app needs the stack {app.stack}, which exists and {whose}.",
                hint="Give the app or its stage another name, or remove that stack first.",
            )

    def _subscribe_buckets(
        self,
        app: App,
        wanted: tuple[BucketNotification, ...],
        stack: Stack,
        previous: tuple[BucketNotification, ...],
        log: BuildLog,
    ) -> None:
        subscriptions = [BucketSubscription(item, stack.outputs[alias_output(item.function)]) for item in wanted]
        self._bucket_notifications.apply(app, subscriptions, previous, log)

    def _roll_back(self, bundle: Bundle, previous: str | None, error: AppError, context: DeployContext) -> Failed:
        with context.effect("going back"):
            return Failed(error, self._restore_previous(bundle, previous, error, context.log))

    def _restore_previous(
        self, bundle: Bundle, previous: str | None, error: AppError, log: BuildLog
    ) -> Deployment | None:
        # Roll back even if we have not changed the stack: a worker that died before us may have done it.
        if previous is None or previous == bundle.template_key:
            log(f"{error.message}\nThere is no earlier release to roll back to; this one stays deployed.")
            return None
        log(f"{error.message}\nRolling back to what was live before.")
        return self.restore(bundle.app, bundle.template_key, previous, log)

    def restore(self, app: App, template_key: str | None, previous: str, log: BuildLog) -> Deployment | None:
        """Deploy an earlier release again; None if that fails, with the reason in the log.

        Args:
            app: to restore.
            template_key: of the release that may have been deployed since.
            previous: template key of the release to deploy again.
            log: takes progress.
        """
        try:
            earlier, later = self._template(previous), self._template(template_key) if template_key else None
            if earlier is None:
                log(f"{previous} is not stored any more.")
                return None
            if _flexes(earlier) or _flexes(later):
                self._flex.back(app, previous, _boundary(earlier) or self._target.boundary_arn, log)
            result = self._rollout.go_back(release.bundle(app, previous, earlier), log)
            self._subscribe_buckets(app, _notifications(earlier), result.stack, _notifications(later), log)
        except AppError as failure:
            log(f"That failed too: {failure.message}")
            return None
        return self._deployment(previous, result)

    def _template(self, template_key: str) -> Template | None:
        try:
            stored: Template = json.loads(self._store.get(self._target.artifacts_bucket, template_key))
        except ObjectMissing:
            return None
        return pointed(stored)

    def _deployment(self, template_key: str, result: DeployResult) -> Deployment:
        outputs: Mapping[str, Any] = result.stack.outputs
        url = outputs.get(DOMAIN_OUTPUT) or outputs.get("AutoLambdaUrl")
        return Deployment(
            stack=result.stack.name,
            function=outputs["AutoLambdaFunction"],
            version=outputs.get("AutoLambdaVersion", LATEST),
            alias=ALIAS,
            url=callable_url(url, self._target.endpoint) if url else None,
            template_key=template_key,
            changed=result.changed,
        )


def _flexes(template: Template | None) -> bool:
    return bool(template and template["Resources"] and release.flex(template))


def _boundary(template: Template) -> str | None:
    """Return the permissions boundary that the roles of a release have."""
    roles = (one["Properties"] for one in template["Resources"].values() if one["Type"] == "AWS::IAM::Role")
    return next((role["PermissionsBoundary"] for role in roles), None)


def _notifications(template: Template | None) -> tuple[BucketNotification, ...]:
    return release.notifications(template) if template else ()

"""The stack of an app: what is in it, and how it becomes that of a template."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from auto_lambda.aws.cloudformation import DeployResult, Plan, Stack, StackFailed, Stacks
from auto_lambda.aws.s3 import ObjectStore
from auto_lambda.keys import App
from auto_lambda.model import BuildLog, Template
from worker.bundle import pointers
from worker.bundle.log_groups import group_ids
from worker.deploy.artifacts import store_template
from worker.deploy.at_once import both
from worker.deploy.log_groups import LogGroupParameters
from worker.deploy.outlook import Standing
from worker.deploy.stack_errors import stack_failures
from worker.deploy.switch.drift import Drift, missing
from worker.model import DeployTarget
from worker.ownership import stack_tags

_STILL = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"})


class AppStack:
    """Changes the stacks of apps.

    Args:
        store: S3.
        stacks: CloudFormation.
        drift: undoes what was changed by hand.
        log_groups: chooses parameters.
        target: the bucket of templates, and the pipeline.
    """

    def __init__(
        self, store: ObjectStore, stacks: Stacks, drift: Drift, log_groups: LogGroupParameters, target: DeployTarget
    ) -> None:
        self._store = store
        self._stacks = stacks
        self._drift = drift
        self._log_groups = log_groups
        self._target = target

    def look(self, app: App) -> Standing | None:
        """Return the stack as it is; None if more is to be done than to look at it, as `standing` does."""
        stack = self._stacks.describe(app.stack)
        found = self._read(stack) if stack and stack.status in _STILL else None
        return None if found is None or missing(found.functions) else found

    def standing(self, app: App, log: BuildLog) -> Standing | None:
        """Return the stack as it is once it can be updated; None if it has to be created.

        One whose function or alias was deleted by hand is deleted, since CloudFormation cannot update what is missing.

        Raises:
            AppError: it can neither be updated nor deleted.
        """
        with stack_failures(app):
            stack = self._stacks.prepare(Plan(app.stack), log)
            if stack is None:
                return None
            found = self._read(stack)
            if what := missing(found.functions) or self._missing_before_the_first(found):
                log(f"{what} was deleted by hand: {app.stack} is deleted and created again; its URL may change")
                self._stacks.delete(stack.id, log)
                return None
        return found

    def _missing_before_the_first(self, found: Standing) -> str | None:
        """Name what was deleted by hand of a stack that leads nobody anywhere yet; None if nothing was."""
        if found.functions:
            return None
        made = self._drift.look_at_the_rest(found.stack, found.template, found.resources)
        return next((f"the function {it.function}" for it in made if it.latest is None), None)

    def _read(self, stack: Stack) -> Standing:
        template, resources = both(
            partial(self._stacks.deployed_template, stack.id), partial(self._stacks.resources, stack.id)
        )
        return Standing(stack, template, resources, self._drift.look(stack, resources))

    def undo_drift(self, stack: Stack, template: Template, wanted: Template, log: BuildLog) -> None:
        """Undo what was changed by hand in functions, or by a worker that got no further; see `Drift.undo`."""
        self._drift.undo(stack, template, wanted, log)

    def settle(self, stack: Stack, template: Template, log: BuildLog) -> None:
        """Bring functions in line with what is live, where CloudFormation saw nothing to do; see `Drift.settle`."""
        self._drift.settle(stack, template, log)

    def update(
        self,
        app: App,
        template: Template,
        values: Mapping[str, str],
        log: BuildLog,
        warn: Callable[[str], None] = lambda _: None,
        *,
        live: bool = True,
    ) -> DeployResult:
        """Create or update a stack.

        Args:
            app: whose.
            template: that it is to have.
            values: of parameters; those about log groups are chosen here.
            log: takes progress.
            warn: takes what does not stop it.
            live: whether anything is live.

        Raises:
            AppError: CloudFormation could not, and went back.
        """
        key = store_template(self._store, self._target.artifacts_bucket, template, _quiet(log))
        declared = pointers.declared(template)
        plan = Plan(
            app.stack,
            url=self._store.url(self._target.artifacts_bucket, key),
            parameters={
                **{name: value for name, value in values.items() if name in declared},
                **self._log_groups.choose(app, template, log, warn),
            },
            tags=stack_tags(app, self._target.pipeline),
        )
        with stack_failures(app, live=live):
            try:
                result = self._stacks.deploy(plan, log)
            except StackFailed as failure:
                if failure.resource not in group_ids(template):
                    raise
                # Perhaps Lambda has made it since: then the stack leaves it alone.
                chosen = {**plan.parameters, **self._log_groups.choose(app, template, log)}
                result = self._stacks.deploy(replace(plan, parameters=chosen), log)
        if not result.changed:
            log(f"{app.stack} has it already")
        return result

    def resources(self, stack: Stack) -> dict[str, str]:
        """Return the physical ids of a stack's resources."""
        return self._stacks.resources(stack.id)


def _quiet(log: BuildLog) -> BuildLog:
    """Pass on all but that a template is stored already: that of a release always is."""

    def said(line: str) -> None:
        if not line.endswith("is stored already"):
            log(line)

    return said

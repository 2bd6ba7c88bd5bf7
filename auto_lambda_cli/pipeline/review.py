"""What a launch or upgrade would change, before anything is changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from auto_lambda.aws.cloudformation import STILLBORN, Inspect
from auto_lambda_cli.pipeline.change_sets import Change
from auto_lambda_cli.pipeline.checks import LaunchRefused
from auto_lambda_cli.pipeline.parts import Part, all_parts, load_template
from auto_lambda_cli.pipeline.site import Site

DATA = frozenset(
    {"UploadsBucket", "ArtifactsBucket", "LedgerTable", "Queue", "DeadLetterQueue", "AppBoundary", "NamespaceBoundary"}
)
"""Resources that no launch or upgrade may remove or replace."""


@dataclass(frozen=True, slots=True)
class StackReview:
    """One stack, and what would change in it. ``new``: it would be created."""

    part: Part
    stack: str
    new: bool
    changes: tuple[Change, ...]


def review(site: Site, chosen: Mapping[str, str], say: Callable[[str], None]) -> list[StackReview]:
    """Ask CloudFormation what would change in each stack.

    Raises:
        LaunchRefused: something that holds data would be removed or replaced.
        StackFailed: CloudFormation refuses a template or a parameter.
    """
    return list(_steps(site, chosen, say))


def _steps(site: Site, chosen: Mapping[str, str], say: Callable[[str], None]) -> Iterator[StackReview]:
    outputs: dict[str, str] = {}
    for part in all_parts():
        plan = site.plan(part, chosen, outputs)
        stack = site.stacks.ended(plan.stack, say)
        if stack is None or stack.status in STILLBORN:
            stack, changes = None, additions(part)
        elif stack.status == "UPDATE_ROLLBACK_FAILED":
            changes = (Change("Modify", "everything", "the rollback of its last update is continued first"),)
        elif missing := _missing(part, plan.parameters):
            changes = (Change("Modify", "everything", f"depends on {', '.join(missing)}"),)
        else:
            changes = site.stacks.review(plan)
            _keep_data(plan.stack, changes)
        yield StackReview(part, plan.stack, stack is None, changes)
        outputs.update(stack.outputs if stack else {})


def _missing(part: Part, parameters: Mapping[str, str]) -> list[str]:
    """Name the parameters whose values are outputs of stacks that do not exist yet."""
    return sorted(name for name, default in part.defaults.items() if default is None and name not in parameters)


def additions(part: Part) -> tuple[Change, ...]:
    """Return what a template has, as additions; some of it depends on parameters."""
    resources = load_template(part.text)["Resources"]
    return tuple(Change("Add", name, resource["Type"]) for name, resource in resources.items())


def agreed(site: Site, step: StackReview) -> Inspect:
    """Return what accepts only the changes that were shown.

    The changes of a stack are computed again with the outputs of the stacks before it.
    """
    shown = {replace(change, replacement="") for change in step.changes}

    def inspect(change_set: str) -> None:
        changes = site.stacks.changes(change_set)
        _keep_data(step.stack, changes)
        harmful = [it for it in changes if it.action == "Remove" and it not in shown]
        if harmful:
            names = ", ".join(sorted(it.resource for it in harmful))
            raise LaunchRefused(
                f"stack {step.stack}: {names} would be removed, which was not announced: run the command again"
            )

    return inspect


def _keep_data(stack: str, changes: Sequence[Change]) -> None:
    for change in changes:
        if change.resource in DATA and (change.action == "Remove" or change.replacement == "True"):
            what = "removed" if change.action == "Remove" else "replaced"
            raise LaunchRefused(
                f"stack {stack}: {change.resource} holds data and would be {what}; nothing was changed. "
                "Compare the stack's parameters and template with this version's"
            )

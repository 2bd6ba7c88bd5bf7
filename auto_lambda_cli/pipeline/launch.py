"""Launches a pipeline, moves it to this version, and takes it down."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from auto_lambda import __version__
from auto_lambda.aws.cloudformation import Progress
from auto_lambda.aws.dynamodb import SCHEMA, Table
from auto_lambda_cli.pipeline import naming
from auto_lambda_cli.pipeline.account import Account
from auto_lambda_cli.pipeline.checks import MOST, LaunchRefused, image_parameter
from auto_lambda_cli.pipeline.ledger import migrate
from auto_lambda_cli.pipeline.maker import deploy_parts
from auto_lambda_cli.pipeline.parts import CORE, all_parts
from auto_lambda_cli.pipeline.review import StackReview, agreed
from auto_lambda_cli.pipeline.site import Memory, Site
from auto_lambda_cli.pipeline.values import wrong_values

_POLL = 5.0
_LONGEST_DRAIN = 3 * 3600.0
_POLLS_UNTIL_ENDED = 120  # ten minutes


@dataclass(frozen=True, slots=True)
class Launched:
    """What is there now."""

    outputs: Mapping[str, str]
    migrated: int = 0


def choose(site: Site, given: Mapping[str, str]) -> dict[str, str]:
    """Choose the parameters; instances are only launched from an image that exists.

    Raises:
        LaunchRefused: there is no such parameter, or its template does not admit the value.
    """
    known = {name: default for part in all_parts() for name, default in part.defaults.items() if default is not None}
    if unknown := sorted(given.keys() - known.keys()):
        raise LaunchRefused(f"no parameter of a pipeline: {', '.join(unknown)}. There are: {', '.join(sorted(known))}")
    if wrong := wrong_values(given):
        raise LaunchRefused("; ".join(wrong))
    chosen = site.parameters(given)
    if "ImageExists" not in given:
        exists = Account(site.clients).image(image_parameter(chosen)) is not None
        chosen["ImageExists"] = "true" if exists else "false"
    return chosen


def launch(
    site: Site,
    chosen: Mapping[str, str],
    steps: Sequence[StackReview],
    say: Progress,
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> Launched:
    """Create the stacks of a pipeline, or move them to this version's templates, and its ledger to this version.

    Whatever ends this, another call continues it. The old layout's fleet is drained first: its group and roles have the
    names of the new one's.

    Raises:
        StackFailed: with the first failing resource's reason.
        LaunchRefused: what would change is not what was shown.
    """
    before = site.memory()
    site.remember(Memory(before.version, {name: value for name, value in chosen.items() if name != "ImageExists"}))
    if site.single_stack():
        drain(site, say, sleep=sleep)
    inspects = {step.stack: agreed(site, step) for step in steps if not step.new}
    outputs = deploy_parts(
        site.pipeline, chosen, site.stacks, site.templates, tags=site.tags(), progress=say,
        inspect=lambda stack: inspects.get(stack),
    )  # fmt: skip
    resize(site, chosen)
    if before.version not in (None, __version__):
        refresh(site, say, sleep=sleep)
    moved = migrate(Table(site.clients("dynamodb"), outputs["LedgerTable"]), SCHEMA)
    if moved:
        say(f"{moved} items of the ledger are of schema {SCHEMA} now")
    site.remember(Memory(__version__, site.memory().parameters))
    return Launched(outputs, moved)


def drain(site: Site, say: Progress, *, sleep: Callable[[float], None] = time.sleep) -> None:
    """Empty the groups, and wait until there is no instance. Uploads wait in the queue meanwhile.

    An instance that builds is protected. If it is still there after a while, it is ended, too: then its worker finishes
    its builds or returns them to the queue, as if a Spot Instance were interrupted.
    """
    autoscaling = site.clients("autoscaling")
    names = list(naming.groups(site.pipeline))
    for group in _groups(autoscaling, names):
        autoscaling.update_auto_scaling_group(
            AutoScalingGroupName=group["AutoScalingGroupName"], MinSize=0, MaxSize=0, DesiredCapacity=0
        )
    patience = itertools.count()

    def there() -> list[str]:
        instances = [it for group in _groups(autoscaling, names) for it in group["Instances"]]
        if next(patience) == _POLLS_UNTIL_ENDED:
            for one in (it for it in instances if it["LifecycleState"] == "InService"):
                autoscaling.terminate_instance_in_auto_scaling_group(
                    InstanceId=one["InstanceId"], ShouldDecrementDesiredCapacity=False
                )
        return [it["InstanceId"] for it in instances]

    _wait(there, say, sleep)


def resize(site: Site, chosen: Mapping[str, str]) -> None:
    """Give the groups their sizes again, if they were drained by something that did not end."""
    autoscaling = site.clients("autoscaling")
    values = {**MOST, "WorkersMin": "0", **chosen}
    most = 0 if values.get("ImageExists") == "false" else int(values["WorkersMax"])
    least = min(int(values["WorkersMin"]), most)
    workers, checker = naming.groups(site.pipeline)
    sizes = {workers: (least, most), checker: (min(most, 1), min(most, 1))}
    for group in _groups(autoscaling, [workers, checker]):
        name = group["AutoScalingGroupName"]
        if (group["MinSize"], group["MaxSize"]) != sizes[name]:
            autoscaling.update_auto_scaling_group(
                AutoScalingGroupName=name, MinSize=sizes[name][0], MaxSize=sizes[name][1]
            )


def refresh(site: Site, say: Progress, *, sleep: Callable[[float], None] = time.sleep) -> None:
    """Replace the running instances, each only once it has drained."""
    autoscaling = site.clients("autoscaling")
    groups = [
        it["AutoScalingGroupName"] for it in _groups(autoscaling, list(naming.groups(site.pipeline))) if it["Instances"]
    ]
    for group in groups:
        preferences: dict[str, Any] = {"MinHealthyPercentage": 0, "ScaleInProtectedInstances": "Wait"}
        try:
            autoscaling.start_instance_refresh(AutoScalingGroupName=group, Preferences=preferences)
        except ClientError as error:  # an interrupted command has begun it
            if error.response.get("Error", {}).get("Code") != "InstanceRefreshInProgress":
                raise
        say(f"{group}: replacing its instances")
        _wait(partial(_unfinished, autoscaling, group), say, sleep)


def _unfinished(autoscaling: Any, group: str) -> list[str]:
    (newest, *_) = autoscaling.describe_instance_refreshes(AutoScalingGroupName=group)["InstanceRefreshes"]
    if newest["Status"] in ("Failed", "Cancelled", "RollbackSuccessful", "RollbackFailed"):
        raise LaunchRefused(
            f"{group}: the replacement of its instances ended as {newest['Status']}: {newest.get('StatusReason', '')}"
        )
    return [] if newest["Status"] == "Successful" else [f"{group} {newest['Status']}"]


def _groups(autoscaling: Any, names: list[str]) -> list[Any]:
    found: list[Any] = autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=names)["AutoScalingGroups"]
    return found


def _wait(left: Callable[[], list[str]], say: Progress, sleep: Callable[[float], None]) -> None:
    told: list[str] = []
    waited = 0.0
    while (now := left()) and waited < _LONGEST_DRAIN:
        if now != told:
            say(f"waiting for {', '.join(now)}")
            told = now
        sleep(_POLL)
        waited += _POLL
    if now:
        raise LaunchRefused(
            f"still there after {_LONGEST_DRAIN / 3600:.0f} hours: {', '.join(now)}. Run the command again"
        )


def take_down(site: Site, say: Progress, *, sleep: Callable[[float], None] = time.sleep) -> list[str]:
    """Delete all stacks but the core's, which holds what must not be lost, and return what is left.

    Raises:
        LaunchRefused: the pipeline is of a version that had everything in one stack.
        StackFailed: something could not be deleted.
    """
    if site.single_stack():
        raise LaunchRefused(
            f"the pipeline {site.pipeline} has everything in one stack, of version 0.2.0 or before: "
            "move it to this version first, with auto-lambda pipeline upgrade"
        )
    drain(site, say, sleep=sleep)
    for part in reversed(all_parts()):
        if part.name != CORE:
            site.stacks.delete(part.stack(site.pipeline), say)
    return left(site)


def left(site: Site) -> list[str]:
    """Say what is left of a pipeline without its fleet, and how to remove that."""
    core = site.stacks.describe(site.pipeline)
    if core is None:
        return []
    told = core.outputs
    return [
        f"stack {site.pipeline}, with the queue of uploads; to remove it: "
        f"aws cloudformation delete-stack --stack-name {site.pipeline}",
        "After that, too, these are left; they hold data, and apps use the boundaries:",
        *(
            f"bucket {bucket}; to remove it, empty it with all versions, then: aws s3 rb s3://{bucket}"
            for bucket in (told["UploadsBucket"], told["ArtifactsBucket"], site.templates.name)
        ),
        f"table {told['LedgerTable']}; to remove it: aws dynamodb delete-table --table-name {told['LedgerTable']}",
        *(
            f"log group {group}; to remove it: aws logs delete-log-group --log-group-name {group}"
            for group in (told["WorkerLogs"], told["CheckerLogs"])
        ),
        *(
            f"policy {arn}; to remove it, once no app has it: aws iam delete-policy --policy-arn {arn}"
            for arn in (told["NamespaceBoundaryArn"], told["WideBoundaryArn"])
        ),
        "Apps are not part of the pipeline: their stacks, al-<name>-<stage>, stay and go on working.",
    ]

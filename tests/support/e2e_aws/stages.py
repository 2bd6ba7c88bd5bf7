"""Every stage of a run, in its order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from e2e_aws import app_stages, fleet_stages, pipeline_stages
from e2e_aws.consent import Refused
from e2e_aws.model import Stage

STAGES: Sequence[Stage] = (
    Stage(
        "checks", "what can be asked without a change", 2, 0, (), ("quotas", "quota-codes"), pipeline_stages.checks
    ),
    Stage(
        "launch", "the pipeline, without instances", 10, 1, (), ("stack-seconds", "change-sets"),
        pipeline_stages.launch, again=True,
    ),
    Stage(
        "events", "what S3 announces, and when", 4, 0, ("launch",), ("event-delay", "delete-marker", "missing-bus"),
        pipeline_stages.events,
    ),
    Stage(
        "deploy", "the smallest app, by a worker here that has the rights of the workers' role", 4, 1, ("launch",),
        ("deploy-seconds", "log-group-order"), app_stages.deploy,
    ),
    Stage(
        "update", "a change, a broken one, a rollback, a change by hand", 6, 1, ("deploy",),
        ("update-seconds", "drift", "versions"), app_stages.update,
    ),
    Stage(
        "refused", "an app that CloudFormation refuses", 2, 0, ("launch",), ("early-validation",), app_stages.refused
    ),
    Stage("triggers", "an app that a bucket invokes", 3, 1, ("launch",), ("s3-permission",), app_stages.triggers),
    Stage(
        "examples", "the examples", 10, 2, ("launch",), ("layers",), app_stages.examples, rehearsed=False,
    ),
    Stage("undeploy", "the smallest app goes", 5, 0, ("deploy",), ("log-group-again",), app_stages.undeploy),
    Stage(
        "rights", "what was denied to the workers' role", 18, 0, ("deploy",), ("rights", "look-ups"),
        pipeline_stages.rights,
    ),
    Stage(
        "image", "the machine image", 20, 5, ("launch",), ("image-build",), fleet_stages.image, rehearsed=False,
    ),
    Stage(
        "fleet", "two workers that the queue starts, one ended in mid-build, and back to none", 45, 25, ("image",),
        ("scale-out", "ended-worker", "short-alarms", "agent", "az-rebalance", "scale-in", "unhealthy-replaced",
         "instance-refresh"),
        fleet_stages.fleet, rehearsed=False,
    ),
)  # fmt: skip


def chosen(only: Iterable[str], *, rehearsal: bool) -> list[Stage]:
    """Return the stages of these names, all by default, with those that they need, in order.

    Raises:
        Refused: there is no such stage.
    """
    by_name = {stage.name: stage for stage in STAGES}
    wanted = set(only) or {stage.name for stage in STAGES if stage.rehearsed or not rehearsal}
    if unknown := sorted(wanted - by_name.keys()):
        raise Refused(f"no stage: {', '.join(unknown)}. There are: {', '.join(by_name)}")
    rest = list(wanted)
    while rest:
        needed = set(by_name[rest.pop()].needs) - wanted
        wanted |= needed
        rest += needed
    return [stage for stage in STAGES if stage.name in wanted]

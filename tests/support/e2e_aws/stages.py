"""Every stage of a run, in its order."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence

from e2e_aws import app_stages, fleet_stages, flex_stages, pipeline_stages
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
        "flex", "the smallest zappa app moves to Fargate and back under load; it wants a domain", 35, 15, ("launch",),
        ("domain-rights", "task-image", "flex-change-sets", "flex-seconds"), flex_stages.flex,
        wants=(flex_stages.DOMAIN, flex_stages.CERTIFICATE, flex_stages.ZONE),
    ),
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


def chosen(only: Iterable[str], *, rehearsal: bool, environ: Mapping[str, str] = os.environ) -> list[Stage]:
    """Return the stages of these names, with those that they need, in order.

    Without names: all that the embedded AWS has what they need for; on an account, all whose variables are set.

    Raises:
        Refused: there is no such stage, or its variables are not set.
    """
    by_name = {stage.name: stage for stage in STAGES}
    lacks = {} if rehearsal else {it.name: [name for name in it.wants if not environ.get(name)] for it in STAGES}
    if missing := [f"{name} wants {', '.join(lacks[name])}" for name in only if lacks.get(name)]:
        raise Refused(f"nothing was made: {'; '.join(missing)}, which docs/how-to/try-it-on-aws.md describes")
    possible = (stage for stage in STAGES if (stage.rehearsed if rehearsal else not lacks[stage.name]))
    wanted = set(only) or {stage.name for stage in possible}
    if unknown := sorted(wanted - by_name.keys()):
        raise Refused(f"no stage: {', '.join(unknown)}. There are: {', '.join(by_name)}")
    rest = list(wanted)
    while rest:
        needed = set(by_name[rest.pop()].needs) - wanted
        wanted |= needed
        rest += needed
    return [stage for stage in STAGES if stage.name in wanted]

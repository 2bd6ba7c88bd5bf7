"""The stages about machines, which the embedded AWS does not have: the image, and the fleet that starts from it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

from e2e_stack import saying, slow_to_build

from auto_lambda_cli.pipeline import naming
from e2e_aws.cleaning import image_parameters
from e2e_aws.model import Finding, StageFailed, expect
from e2e_aws.run import Run

_BOOT, _REPLACEMENT, _IDLE = 900, 1200, 1200  # seconds, at most


def image(run: Run) -> Iterator[Finding]:
    """Build the machine image, and publish it under the run's own parameter."""
    begun = time.monotonic()
    built = json.loads(run.cli("ami", "build", "--parameter", image_parameters(run.name)[0], "--json").stdout)
    run.place.client("ec2").create_tags(
        Resources=[built["image"]], Tags=[{"Key": key, "Value": value} for key, value in run.tag().items()]
    )
    yield Finding("image-build", f"{built['image']} after {(time.monotonic() - begun) / 60:.0f} minutes")


def fleet(run: Run) -> Iterator[Finding]:
    """Let the queue start two workers, end one in the middle of a build, and let the fleet shrink again."""
    run.stop_worker()
    run.pipeline("up", "--set", "WorkersMax=2", "--yes")
    workers, checker = naming.groups(run.name)
    run.place.wait(lambda: _in_service(run, checker), _BOOT, "the checker")
    yield from _scaled_out(run, workers)
    run.pipeline("up", "--set", "LogRetentionDays=14", "--yes")
    suspended = [it["ProcessName"] for it in _group(run, workers)["SuspendedProcesses"]]
    yield Finding("az-rebalance", f"suspended after an update of the stack: {', '.join(suspended) or 'nothing'}")
    begun = time.monotonic()
    run.place.wait(lambda: not _group(run, workers)["Instances"], _IDLE, "a group without workers")
    yield Finding("scale-in", f"no worker {time.monotonic() - begun:.0f} s after the last app was live")
    yield _replaced(run, checker)
    yield _refreshed(run, checker)


def _scaled_out(run: Run, workers: str) -> Iterator[Finding]:
    begun = time.monotonic()
    zipped = {name: run.zipped(name, slow_to_build(saying(name))) for name in ("slow-a", "slow-b")}
    bucket = run.outputs["UploadsBucket"]
    for name, path in zipped.items():
        run.cli("deploy", str(path), "--name", name, "--stage", run.name, "--bucket", bucket, "--no-wait")
    instances = run.place.wait(lambda: _in_service(run, workers), _BOOT, "a worker")
    yield Finding("scale-out", f"a worker in service {time.monotonic() - begun:.0f} s after two drops")
    run.place.client("ec2").terminate_instances(InstanceIds=instances[:1])
    for name in zipped:
        run.place.wait(lambda name=name: _live(run, name), _REPLACEMENT, f"{name}, whose worker was ended")  # type: ignore[misc]
    yield Finding("ended-worker", f"both apps are live {time.monotonic() - begun:.0f} s after they were dropped")
    yield _alarms(run)
    groups = run.place.client("logs").filter_log_events(logGroupName=run.outputs["WorkerLogs"], limit=5)["events"]
    expect(groups, f"{run.outputs['WorkerLogs']} has no event: the agent sends nothing")
    yield Finding("agent", f"the first line that it sent: {groups[0]['message'][:200]}")


def _live(run: Run, app: str) -> bool:
    key = f"apps/{run.name}/{app}.receipt.json"
    s3 = run.place.client("s3")
    try:
        receipt = json.loads(s3.get_object(Bucket=run.outputs["UploadsBucket"], Key=key)["Body"].read())
    except s3.exceptions.NoSuchKey:
        return False
    if receipt["status"] == "failed":
        raise StageFailed(f"{app}: {receipt['error']}")
    return bool(receipt["status"] == "live")


def _alarms(run: Run) -> Finding:
    """When the alarms with periods of ten seconds have acted."""
    cloudwatch = run.place.client("cloudwatch")
    prefix = f"{run.name}-fleet-ScaleFromZero"
    pages = cloudwatch.get_paginator("describe_alarm_history").paginate(HistoryItemType="StateUpdate")
    items = [it for page in pages for it in page["AlarmHistoryItems"] if it["AlarmName"].startswith(prefix)]
    told = [
        f"{it['Timestamp']:%H:%M:%S} {it['AlarmName'].removeprefix(prefix)[:1]}: {it['HistorySummary']}" for it in items
    ]
    return Finding("short-alarms", "; ".join(told[:12]) or "none of them has changed its state")


def _replaced(run: Run, group: str) -> Finding:
    (before, *_) = _in_service(run, group)
    begun = time.monotonic()
    run.place.client("autoscaling").set_instance_health(InstanceId=before, HealthStatus="Unhealthy")
    run.place.wait(lambda: [it for it in _in_service(run, group) if it != before], _REPLACEMENT, "another checker")
    return Finding("unhealthy-replaced", f"another instance is in service after {time.monotonic() - begun:.0f} s")


def _refreshed(run: Run, group: str) -> Finding:
    autoscaling = run.place.client("autoscaling")
    begun = time.monotonic()
    autoscaling.start_instance_refresh(AutoScalingGroupName=group, Preferences={"MinHealthyPercentage": 0})

    def ended() -> str | None:
        (newest, *_) = autoscaling.describe_instance_refreshes(AutoScalingGroupName=group)["InstanceRefreshes"]
        return str(newest["Status"]) if newest["Status"] in ("Successful", "Failed", "Cancelled") else None

    status = run.place.wait(ended, _REPLACEMENT, "the end of an instance refresh")
    expect(status == "Successful", f"the instance refresh of {group} ended as {status}")
    return Finding("instance-refresh", f"successful after {time.monotonic() - begun:.0f} s")


def _in_service(run: Run, group: str) -> list[str]:
    return [it["InstanceId"] for it in _group(run, group)["Instances"] if it["LifecycleState"] == "InService"]


def _group(run: Run, group: str) -> Any:
    describe = run.place.client("autoscaling").describe_auto_scaling_groups
    (found,) = describe(AutoScalingGroupNames=[group])["AutoScalingGroups"]
    return found

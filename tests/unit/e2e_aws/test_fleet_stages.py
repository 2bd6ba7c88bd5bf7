"""The stages about machines, with an account whose machines are a script: nothing here has machines."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest
from e2e_aws import fleet_stages
from e2e_aws.model import Stage, StageFailed
from e2e_aws.place import Place
from e2e_aws.run import TAG, Run
from e2e_aws.stages import STAGES

NAME = "e2e-0a1b2c3d"
WORKERS, CHECKER = f"{NAME}-workers", f"{NAME}-checker"


class Machines:
    """Auto Scaling groups: two workers for the queue until both apps are live, a checker that is replaced."""

    def __init__(self) -> None:
        self.checkers, self.busy, self.refresh = ["i-checker"], True, ["Pending", "Successful"]

    def describe_auto_scaling_groups(self, AutoScalingGroupNames: list[str]) -> Any:  # noqa: N803
        (name,) = AutoScalingGroupNames
        there = self.checkers if name == CHECKER else ["i-1", "i-2"] if self.busy else []
        instances = [{"InstanceId": one, "LifecycleState": "InService"} for one in there]
        return {"AutoScalingGroups": [{"Instances": instances, "SuspendedProcesses": [{"ProcessName": "AZRebalance"}]}]}

    def set_instance_health(self, InstanceId: str, HealthStatus: str) -> None:  # noqa: N803
        assert HealthStatus == "Unhealthy"
        self.checkers = [f"{InstanceId}-2"]

    def start_instance_refresh(self, **_: Any) -> None:
        pass

    def describe_instance_refreshes(self, **_: Any) -> Any:
        return {"InstanceRefreshes": [{"Status": self.refresh.pop(0)}]}


@pytest.fixture
def machines() -> Machines:
    return Machines()


@pytest.fixture
def run(machines: Machines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    s3, logs, cloudwatch, ec2 = MagicMock(), MagicMock(), MagicMock(), MagicMock()
    s3.exceptions.NoSuchKey = KeyError

    def receipt(**_: Any) -> Any:
        machines.busy = False
        return {"Body": MagicMock(read=lambda: json.dumps({"status": "live"}))}

    s3.get_object.side_effect = receipt
    logs.filter_log_events.return_value = {"events": [{"message": '{"event": "worker started"}'}]}
    item = {"AlarmName": f"{NAME}-fleet-ScaleFromZero1-X", "HistorySummary": "to ALARM", "Timestamp": datetime.now(UTC)}
    cloudwatch.get_paginator().paginate.return_value = [{"AlarmHistoryItems": [item, {"AlarmName": "another's"}]}]
    clients = {"s3": s3, "logs": logs, "cloudwatch": cloudwatch, "ec2": ec2, "autoscaling": machines}
    made = Run(Place({}, "1" * 12, "eu-west-1", rehearsal=True, _clients=clients), NAME, tmp_path, lambda _: None)
    made._outputs = {"UploadsBucket": "uploads", "WorkerLogs": f"/auto-lambda/{NAME}/worker"}
    told = MagicMock(stdout=json.dumps({"image": "ami-1"}))
    monkeypatch.setattr(Run, "cli", MagicMock(return_value=told))
    monkeypatch.setattr(Run, "pipeline", MagicMock())
    return made


def stage(name: str) -> Stage:
    return next(it for it in STAGES if it.name == name)


def test_a_fleet_answers_every_question(run: Run) -> None:
    found = {it.question: it.answer for it in stage("fleet").do(run)}
    assert found.keys() == set(stage("fleet").questions)
    assert "AZRebalance" in str(found["az-rebalance"])
    assert str(found["short-alarms"]).endswith(" 1: to ALARM")
    run.place.client("ec2").terminate_instances.assert_called_once_with(InstanceIds=["i-1"])


def test_a_refresh_that_fails_fails_the_stage(run: Run, machines: Machines) -> None:
    machines.refresh = ["Failed"]
    with pytest.raises(StageFailed, match="ended as Failed"):
        list(fleet_stages.fleet(run))


def test_an_image_is_published_for_the_run_only_and_tagged(run: Run) -> None:
    (found,) = stage("image").do(run)
    assert str(found.answer).startswith("ami-1 after")
    words = Run.cli.call_args.args  # type: ignore[attr-defined]
    assert words[-2:] == (f"/auto-lambda/image/{NAME}/x86_64", "--json")
    tags = [{"Key": TAG, "Value": NAME}]
    run.place.client("ec2").create_tags.assert_called_once_with(Resources=["ami-1"], Tags=tags)

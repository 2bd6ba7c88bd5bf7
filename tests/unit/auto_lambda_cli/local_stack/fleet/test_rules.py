"""What the double reads is what the template says: from the embedded AWS, and after an update anew."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from auto_lambda_cli.local_stack.embedded import EmbeddedAws
from auto_lambda_cli.local_stack.fleet.rules import NotEmulated, _steps, read_rules, user_data
from auto_lambda_cli.local_stack.stack import FLEET_STACK, PIPELINE, deploy_pipeline, local_client
from checker.simulator.policies import ours


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedAws]:
    """Up, with the pipeline in it."""
    folder = tmp_path_factory.mktemp("aws")
    with EmbeddedAws.start(folder) as running:
        deploy_pipeline(running, folder, {"WorkersMax": "7"})
        yield running


def test_the_rules_are_those_of_the_study(aws: EmbeddedAws) -> None:
    policy = ours()
    assert policy.tracking
    assert policy.step
    rules = read_rules(partial(local_client, aws), f"{PIPELINE}-workers", FLEET_STACK)
    assert (rules.smallest, rules.largest, rules.warmup) == (0, 7, policy.tracking.warmup)
    assert rules.hook
    assert rules.hook[1] == 300
    (tracking,) = rules.tracking
    assert (tracking.target, tracking.metric.name, tracking.metric.period) == (60, "BacklogSecondsPerWorker", 10)
    assert not tracking.scales_in
    leaving = [step for step in rules.steps if step.adjustment == "ExactCapacity"]
    assert sorted(step.points for step in leaving) == list(policy.step.points)
    assert [(low, count) for low, _, count in leaving[0].steps] == list(policy.step.steps)
    assert {step.missing for step in rules.steps} == {"notBreaching"}


def test_a_machine_is_told_what_its_launch_template_tells(aws: EmbeddedAws) -> None:
    told = user_data(partial(local_client, aws), FLEET_STACK, "WorkerTemplate")
    assert told["AUTO_LAMBDA_IDLE_SECONDS"] == "5"
    assert told["AUTO_LAMBDA_UPLOADS_BUCKET"].startswith(f"{PIPELINE}-uploads-")


@pytest.mark.parametrize(
    ("policy", "alarm"),
    [
        ({"PolicyType": "SimpleScaling", "AdjustmentType": "ExactCapacity"}, {}),
        ({"PolicyType": "StepScaling", "AdjustmentType": "PercentChangeInCapacity"}, {}),
        ({"PolicyType": "StepScaling", "AdjustmentType": "ExactCapacity"}, {"DatapointsToAlarm": 1}),
    ],
)
def test_what_it_does_not_do_is_refused_rather_than_left_out(policy: dict[str, Any], alarm: dict[str, Any]) -> None:
    known = {"PolicyName": "p", "PolicyARN": "arn", "StepAdjustments": []}
    told = {"AlarmName": "a", "AlarmActions": ["arn"], "EvaluationPeriods": 3}
    with pytest.raises(NotEmulated):
        list(_steps([{**known, **policy}], [{**told, **alarm}]))

"""The worker group, its policies and their alarms, as CloudFormation has created them in the embedded AWS."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from auto_lambda_cli.pipeline.parts import load_template

Clients = Callable[[str], Any]
"""Makes boto3's client of a service, by its name."""
_TERMINATING = "autoscaling:EC2_INSTANCE_TERMINATING"


class NotEmulated(Exception):
    """The template uses a feature that is not emulated; the message says which."""


@dataclass(frozen=True, slots=True)
class Metric:
    """The metric of an alarm: one statistic over periods of so many seconds."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]
    statistic: str
    period: int


@dataclass(frozen=True, slots=True)
class TrackingPolicy:
    """A target tracking policy."""

    policy: str
    metric: Metric
    target: float
    scales_in: bool


@dataclass(frozen=True, slots=True)
class StepPolicy:
    """A step policy, as one of its alarms invokes it.

    Attributes:
        alarm: its name.
        policy: the policy's name.
        metric: the alarm's metric.
        comparison: CloudWatch's name of the operator.
        threshold: in the metric's unit.
        points: consecutive datapoints that must breach.
        missing: how CloudWatch treats a missing datapoint.
        adjustment: `ExactCapacity` or `ChangeInCapacity`.
        steps: lower bound, upper bound and adjustment; bounds are relative to the threshold.
    """

    alarm: str
    policy: str
    metric: Metric
    comparison: str
    threshold: float
    points: int
    missing: str
    adjustment: str
    steps: tuple[tuple[float, float, int], ...]


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of the group.

    Attributes:
        group: its name.
        smallest: the minimum size.
        largest: the maximum size.
        warmup: seconds for which a new instance does not count for target tracking.
        hook: the termination hook and its heartbeat timeout in seconds; None without one.
        tracking: the target tracking policies.
        steps: the step policies, once for each alarm.
    """

    group: str
    smallest: int
    largest: int
    warmup: float
    hook: tuple[str, float] | None
    tracking: tuple[TrackingPolicy, ...]
    steps: tuple[StepPolicy, ...]


def read_rules(clients: Clients, group: str, stack: str) -> Rules:
    """Read the rules of a ``group`` of a ``stack``.

    Raises:
        NotDoubled: there is a policy or alarm of a kind that is not emulated.
    """
    autoscaling = clients("autoscaling")
    (found,) = autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[group])["AutoScalingGroups"]
    policies = autoscaling.describe_policies(AutoScalingGroupName=group)["ScalingPolicies"]
    alarms = clients("cloudwatch").describe_alarms()["MetricAlarms"]
    return Rules(
        group=group,
        smallest=found["MinSize"],
        largest=found["MaxSize"],
        warmup=_warmup(clients("cloudformation"), stack),
        hook=_hook(autoscaling.describe_lifecycle_hooks(AutoScalingGroupName=group)["LifecycleHooks"]),
        tracking=tuple(_tracking(it) for it in policies if it["PolicyType"] == "TargetTrackingScaling"),
        steps=tuple(_steps([it for it in policies if it["PolicyType"] != "TargetTrackingScaling"], alarms)),
    )


def user_data(clients: Clients, stack: str, launch_template: str) -> dict[str, str]:
    """Return the settings in the user data of a launch template, which is given by its logical id."""
    resource = clients("cloudformation").describe_stack_resource(StackName=stack, LogicalResourceId=launch_template)
    made = resource["StackResourceDetail"]["PhysicalResourceId"]
    versions = clients("ec2").describe_launch_template_versions(LaunchTemplateId=made)["LaunchTemplateVersions"]
    newest = max(versions, key=lambda version: version["VersionNumber"])
    script = base64.b64decode(newest["LaunchTemplateData"]["UserData"]).decode()
    return dict(re.findall(r"^(AUTO_LAMBDA_\w+)=(.*)$", script, re.MULTILINE))


def _tracking(policy: Mapping[str, Any]) -> TrackingPolicy:
    configuration = policy["TargetTrackingConfiguration"]
    metric = configuration.get("CustomizedMetricSpecification")
    if not metric:
        raise NotEmulated(f"policy {policy['PolicyName']} tracks a predefined metric")
    return TrackingPolicy(
        policy["PolicyName"],
        _metric(metric),
        configuration["TargetValue"],
        scales_in=not configuration.get("DisableScaleIn", False),
    )


def _steps(policies: Iterable[Mapping[str, Any]], alarms: Iterable[Mapping[str, Any]]) -> Iterable[StepPolicy]:
    for policy in policies:
        if policy["PolicyType"] != "StepScaling" or policy["AdjustmentType"] == "PercentChangeInCapacity":
            raise NotEmulated(f"policy {policy['PolicyName']} is neither target tracking nor steps of whole machines")
        for alarm in alarms:
            if policy["PolicyARN"] in alarm["AlarmActions"]:
                yield _step(policy, alarm)


def _step(policy: Mapping[str, Any], alarm: Mapping[str, Any]) -> StepPolicy:
    points = alarm["EvaluationPeriods"]
    if alarm.get("DatapointsToAlarm", points) != points:
        raise NotEmulated(f"alarm {alarm['AlarmName']} does not evaluate all of its datapoints")
    return StepPolicy(
        alarm=alarm["AlarmName"],
        policy=policy["PolicyName"],
        metric=_metric(alarm),
        comparison=alarm["ComparisonOperator"],
        threshold=alarm["Threshold"],
        points=points,
        missing=alarm.get("TreatMissingData", "missing"),
        adjustment=policy["AdjustmentType"],
        steps=tuple(
            (
                it.get("MetricIntervalLowerBound", float("-inf")),
                it.get("MetricIntervalUpperBound", float("inf")),
                it["ScalingAdjustment"],
            )
            for it in policy["StepAdjustments"]
        ),
    )


def _metric(described: Mapping[str, Any]) -> Metric:
    dimensions = tuple((one["Name"], one["Value"]) for one in described["Dimensions"])
    period = described.get("Period", 60)
    return Metric(described["Namespace"], described["MetricName"], dimensions, described["Statistic"], period)


def _hook(hooks: Iterable[Mapping[str, Any]]) -> tuple[str, float] | None:
    going = [hook for hook in hooks if hook["LifecycleTransition"] == _TERMINATING]
    return (going[0]["LifecycleHookName"], going[0]["HeartbeatTimeout"]) if going else None


def _warmup(cloudformation: Any, stack: str) -> float:
    """Read the warm-up from the template: the emulator does not keep this property."""
    body = cloudformation.get_template(StackName=stack)["TemplateBody"]
    resources = (load_template(body) if isinstance(body, str) else body)["Resources"]
    return float(resources["WorkerGroup"]["Properties"].get("DefaultInstanceWarmup", 0))

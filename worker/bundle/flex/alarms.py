"""The alarms that tell the controller of high and low demand, by the measure that the app chose."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from worker.bundle.flex.parts import TOPIC, FlexParts, Resource, Resources, attribute, resource

_PRICES: Mapping[str, Any] = json.loads((Path(__file__).parents[1] / "prices.json").read_text("utf-8"))
_MONTH = _PRICES["hours_per_month"] * 3600
_PERIOD, _SHORT_PERIOD = 60, 10  # seconds; the short one is for clocks that are fast
HIGH, LOW = "High", "Low"


def alarms(parts: FlexParts) -> Resources:
    """Return both alarms. The one of low demand watches the load balancer, so it exists only together with it."""
    low = parts.when_balanced(_alarm(parts, LOW))
    return {HIGH: _alarm(parts, HIGH), LOW: low}


def alarm_name(parts: FlexParts, which: str) -> str:
    """Return the name of an alarm."""
    return f"{parts.app.flex_stack}-{which}"


def _alarm(parts: FlexParts, which: str) -> Resource:
    settings = parts.settings
    seconds, threshold = (settings.up_after, settings.above) if which == HIGH else (settings.down_after, settings.below)
    period = _PERIOD if seconds >= _PERIOD else _SHORT_PERIOD
    return resource(
        "CloudWatch::Alarm",
        AlarmName=alarm_name(parts, which),
        # The mode of a person's choice is in it, as a change of parameters alone is no change of a stack.
        AlarmDescription={"Fn::Sub": f"Demand of {parts.app} is {which.lower()} for Fargate (mode ${{Mode}})"},
        ComparisonOperator="GreaterThanThreshold" if which == HIGH else "LessThanThreshold",
        EvaluationPeriods=math.ceil(seconds / period),
        TreatMissingData="notBreaching" if which == HIGH else "breaching",  # no requests are few requests
        AlarmActions=[parts.place.arn("sns", TOPIC)],
        OKActions=[parts.place.arn("sns", TOPIC)],
        **_measure(parts, threshold, period, of_lambda=which == HIGH and not parts.standing),
    )


def _measure(parts: FlexParts, threshold: float, period: int, *, of_lambda: bool) -> dict[str, Any]:
    """Return metric and threshold: of the function while it has the traffic, of the load balancer while that has."""
    if parts.settings.measure == "requests_per_second":
        return {**_requests(parts, period, of_lambda=of_lambda), "Threshold": threshold * period}
    requests, seconds = _requests(parts, period, of_lambda=of_lambda), _seconds(parts, period, of_lambda=of_lambda)
    total = "seconds / 1000" if of_lambda else "requests * seconds"
    if parts.settings.measure == "concurrency":
        expression = f"({total}) / {period}"
    else:
        second = parts.function_memory / 1024 * _PRICES["gb_second"][parts.architecture]
        request = _PRICES["request"] + _PRICES["api_request"]["rest" if parts.rest else "http"]
        expression = f"(requests * {request:.10f} + ({total}) * {second:.10f}) * {_MONTH // period}"
    metrics = [
        {"Id": "demand", "Expression": expression, "ReturnData": True},
        *(_as_query(name, metric) for name, metric in (("requests", requests), ("seconds", seconds))),
    ]
    return {"Metrics": metrics, "Threshold": threshold}


def _requests(parts: FlexParts, period: int, *, of_lambda: bool) -> dict[str, Any]:
    name = "Invocations" if of_lambda else "RequestCount"
    return _metric(parts, name, "Sum", period, of_lambda=of_lambda)


def _seconds(parts: FlexParts, period: int, *, of_lambda: bool) -> dict[str, Any]:
    """Return how long requests take: the sum in milliseconds of a function, the average of a load balancer."""
    if of_lambda:
        return _metric(parts, "Duration", "Sum", period, of_lambda=True)
    return _metric(parts, "TargetResponseTime", "Average", period, of_lambda=False)


def _metric(parts: FlexParts, name: str, statistic: str, period: int, *, of_lambda: bool) -> dict[str, Any]:
    dimensions = (
        [{"Name": "FunctionName", "Value": parts.function}, {"Name": "Resource", "Value": f"{parts.function}:live"}]
        if of_lambda
        else [{"Name": "LoadBalancer", "Value": attribute("LoadBalancer", "LoadBalancerFullName")}]
    )
    namespace = "AWS/Lambda" if of_lambda else "AWS/ApplicationELB"
    return {
        "Namespace": namespace,
        "MetricName": name,
        "Dimensions": dimensions,
        "Statistic": statistic,
        "Period": period,
    }


def _as_query(name: str, metric: Mapping[str, Any]) -> dict[str, Any]:
    described = {key: metric[key] for key in ("Namespace", "MetricName", "Dimensions")}
    stat = {"Metric": described, "Stat": metric["Statistic"], "Period": metric["Period"]}
    return {"Id": name, "MetricStat": stat, "ReturnData": False}

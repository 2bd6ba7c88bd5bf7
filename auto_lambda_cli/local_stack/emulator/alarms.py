"""Lets alarms on functions and load balancers ring as on AWS.

The emulator counts only calls by the Lambda API, looks at alarms only when somebody publishes a metric, takes the
metrics of all functions for one, and knows neither several periods nor missing data. Others' alarms stay with it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

BEAT = 1.0
OURS = ("AWS/Lambda", "AWS/ApplicationELB")
STATISTICS: Mapping[str, Callable[[Sequence[float]], float]] = {
    "Sum": sum,
    "Average": lambda values: sum(values) / len(values),
    "Maximum": max,
    "Minimum": min,
    "SampleCount": len,
}


def patch() -> None:
    """Evaluate such alarms every second from now on, and admit those that calculate with metrics."""
    from ministack.core import responses  # type: ignore[import-not-found,unused-ignore]
    from ministack.services import cloudwatch, lambda_svc  # type: ignore[import-not-found,unused-ignore]
    from ministack.services.cloudformation import provisioners  # type: ignore[import-not-found,unused-ignore]

    evaluate = cloudwatch._evaluate_alarm
    cloudwatch._evaluate_alarm = lambda alarm: None if alarm.get("Namespace") in OURS else evaluate(alarm)
    handlers = provisioners._RESOURCE_HANDLERS["AWS::CloudWatch::Alarm"]
    _admit_metric_math(handlers)
    count_calls(lambda_svc)

    def forever() -> None:
        while True:
            time.sleep(BEAT)
            for (account, region, _), alarm in list(cloudwatch._alarms._data.items()):
                if alarm.get("Namespace") in OURS:
                    with responses.request_scope(account, region):
                        _look(cloudwatch, alarm, time.time())

    threading.Thread(target=forever, daemon=True, name="alarms").start()


def count_calls(lambda_svc: Any) -> None:
    """Count every call of a function where it is run, whoever calls."""
    emit, execute = lambda_svc._emit_lambda_metrics, lambda_svc._execute_function_dispatch

    def throttled_only(name: str, *, duration_ms: float, error: bool, throttle: bool) -> None:
        if throttle:
            emit(name, duration_ms=duration_ms, error=error, throttle=throttle)

    def counted(func: Any, config: Mapping[str, Any], *given: Any, **more: Any) -> Any:
        began = time.monotonic()
        result = execute(func, config, *given, **more)
        wrong = bool(result.get("error")) if isinstance(result, dict) else False
        took = (time.monotonic() - began) * 1000
        emit(config.get("FunctionName", "unknown"), duration_ms=took, error=wrong, throttle=False)
        return result

    lambda_svc._emit_lambda_metrics = throttled_only
    lambda_svc._execute_function_dispatch = counted


def _look(cloudwatch: Any, alarm: dict[str, Any], now: float) -> None:
    points = [
        (point["Timestamp"], float(point["Value"]))
        for (namespace, metric, _), bucket in list(cloudwatch._metrics.items())
        if (namespace, metric) == (alarm["Namespace"], alarm["MetricName"])
        for point in list(bucket)
        if "Value" in point and concerns(alarm, point.get("Dimensions", {}))
    ]
    before, state = alarm["StateValue"], state_of(alarm, points, now)
    if state != before:
        reason = f"Threshold Crossed: {alarm.get('Statistic')} {alarm['ComparisonOperator']} {alarm['Threshold']}"
        alarm.update(StateValue=state, StateReason=reason, StateUpdatedTimestamp=int(now))
        cloudwatch._record_history(alarm["AlarmName"], before, state, reason)
        cloudwatch._dispatch_alarm_actions(alarm, before, state, reason)


def concerns(alarm: Mapping[str, Any], dimensions: Mapping[str, str]) -> bool:
    """Tell whether an alarm is on a metric. The emulator records a function's calls without the alias."""
    given = alarm.get("Dimensions") or []
    wanted = {one["Name"]: one["Value"] for one in given} if isinstance(given, list) else dict(given)
    if alarm["Namespace"] == "AWS/Lambda":
        wanted.pop("Resource", None)
    return wanted == dict(dimensions)


def state_of(alarm: Mapping[str, Any], points: Iterable[tuple[float, float]], now: float) -> str:
    """Return an alarm's state: its periods end now, not when the clock's minute does.

    Args:
        alarm: as PutMetricAlarm takes it.
        points: times and values of its metric.
        now: a time on the same clock.
    """
    period, count = float(alarm.get("Period") or 60), int(alarm.get("EvaluationPeriods") or 1)
    values: list[list[float]] = [[] for _ in range(count)]
    for at, value in points:
        index = int((now - at) // period)
        if 0 <= index < count:
            values[index].append(value)
    missing = str(alarm.get("TreatMissingData") or "missing")
    if missing not in ("breaching", "notBreaching") and not any(values):
        return str(alarm["StateValue"]) if missing == "ignore" else "INSUFFICIENT_DATA"
    statistic = STATISTICS.get(str(alarm.get("Statistic") or "Average"), STATISTICS["Average"])
    breached = sum(_breaches(alarm, statistic(one)) if one else missing == "breaching" for one in values)
    return "ALARM" if breached >= int(alarm.get("DatapointsToAlarm") or count) else "OK"


def _breaches(alarm: Mapping[str, Any], value: float) -> bool:
    threshold, operator = float(alarm["Threshold"]), str(alarm["ComparisonOperator"])
    if operator.endswith("OrEqualToThreshold") and value == threshold:
        return True
    return value > threshold if operator.startswith("Greater") else value < threshold


def _admit_metric_math(handlers: dict[str, Any]) -> None:
    """Take alarms on expressions, which never ring here; the emulator would refuse their stack."""
    create, update = handlers["create"], handlers["update"]

    def make(logical: str, props: Any, *rest: Any, **more: Any) -> Any:
        return create(logical, silent(props), *rest, **more)

    def change(physical: str, old: Any, new: Any, *rest: Any, **more: Any) -> Any:
        return update(physical, silent(old), silent(new), *rest, **more)

    handlers.update(create=make, update=change)


def silent(props: Mapping[str, Any]) -> dict[str, Any]:
    """Return an alarm's properties with a metric that nobody publishes in place of an expression."""
    if not props.get("Metrics"):
        return dict(props)
    kept = {name: value for name, value in props.items() if name != "Metrics"}
    return {**kept, "Namespace": "expression", "MetricName": "never", "Period": 60, "Statistic": "Sum"}

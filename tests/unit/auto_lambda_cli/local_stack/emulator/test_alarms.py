from __future__ import annotations

from typing import Any

import pytest

from auto_lambda_cli.local_stack.emulator.alarms import concerns, count_calls, silent, state_of


def alarm(**changed: Any) -> dict[str, Any]:
    return {
        "Namespace": "AWS/Lambda", "MetricName": "Invocations", "Statistic": "Sum", "Period": 10,
        "EvaluationPeriods": 2, "Threshold": 100.0, "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching", "StateValue": "OK", **changed,
    }  # fmt: skip


def points(*values: float, now: float = 1000.0) -> list[tuple[float, float]]:
    """One value in the middle of each period, the newest last."""
    return [(now - 10 * (len(values) - index) + 5, value) for index, value in enumerate(values)]


def test_it_rings_when_each_of_its_periods_is_above() -> None:
    assert state_of(alarm(), points(101, 101), 1000) == "ALARM"
    assert state_of(alarm(), points(300, 99), 1000) == "OK"
    assert state_of(alarm(), points(101, 101, 20), 1000) == "OK", "that was before"
    assert state_of(alarm(DatapointsToAlarm=1), points(300, 99), 1000) == "ALARM"


def test_values_of_a_period_are_put_together_by_the_statistic() -> None:
    twice = [*points(60, 60), *points(60, 60)]
    assert state_of(alarm(), twice, 1000) == "ALARM"
    assert state_of(alarm(Statistic="Average"), twice, 1000) == "OK"


@pytest.mark.parametrize(
    ("missing", "state"),
    [("breaching", "ALARM"), ("notBreaching", "OK"), ("missing", "INSUFFICIENT_DATA"), ("ignore", "OK")],
)
def test_no_data_means_what_the_alarm_says(missing: str, state: str) -> None:
    assert state_of(alarm(TreatMissingData=missing), [], 1000) == state


def test_a_period_without_data_among_others_is_low_demand_for_the_alarm_of_low_demand() -> None:
    low = alarm(ComparisonOperator="LessThanThreshold", TreatMissingData="breaching")
    assert state_of(low, points(20), 1000) == "ALARM"
    assert state_of(low, points(120), 1000) == "OK"


def test_equal_counts_where_the_operator_says_so() -> None:
    assert state_of(alarm(), points(100, 100), 1000) == "OK"
    assert state_of(alarm(ComparisonOperator="GreaterThanOrEqualToThreshold"), points(100, 100), 1000) == "ALARM"


def test_an_alarm_is_about_its_function_alone_whichever_alias() -> None:
    shop = [{"Name": "FunctionName", "Value": "shop"}, {"Name": "Resource", "Value": "shop:live"}]
    assert concerns(alarm(Dimensions=shop), {"FunctionName": "shop"})
    assert not concerns(alarm(Dimensions=shop), {"FunctionName": "controller"})
    balancer = alarm(Namespace="AWS/ApplicationELB", Dimensions=[{"Name": "LoadBalancer", "Value": "app/x/1"}])
    assert concerns(balancer, {"LoadBalancer": "app/x/1"})
    assert not concerns(balancer, {"LoadBalancer": "app/x/2"})


def test_an_alarm_on_an_expression_is_taken_and_silent() -> None:
    made = silent({"AlarmName": "a", "Metrics": [{"Id": "m"}], "Threshold": 1})
    assert "Metrics" not in made
    assert made["Namespace"] not in ("AWS/Lambda", "AWS/ApplicationELB")
    assert silent({"AlarmName": "a", "MetricName": "b"}) == {"AlarmName": "a", "MetricName": "b"}


def test_every_call_of_a_function_is_counted_once() -> None:
    counted: list[tuple[str, bool, bool]] = []

    class Lambda:
        """The emulator's module, as far as it is used."""

        @staticmethod
        def _emit_lambda_metrics(name: str, *, duration_ms: float, error: bool, throttle: bool) -> None:
            assert duration_ms >= 0
            counted.append((name, error, throttle))

        @staticmethod
        def _execute_function_dispatch(func: Any, config: Any, event: Any) -> dict[str, Any]:
            return {"error": event == "bad"}

    module: Any = Lambda
    count_calls(module)
    module._execute_function_dispatch({}, {"FunctionName": "shop"}, "good")
    module._execute_function_dispatch({}, {"FunctionName": "shop"}, "bad")
    module._emit_lambda_metrics("shop", duration_ms=1.0, error=False, throttle=False)
    module._emit_lambda_metrics("shop", duration_ms=0.0, error=False, throttle=True)
    assert counted == [("shop", False, False), ("shop", True, False), ("shop", False, True)]

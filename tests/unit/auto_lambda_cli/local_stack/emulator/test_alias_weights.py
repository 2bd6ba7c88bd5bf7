"""Shares of calls are counted over some hundred of them.

The bounds are so wide that honest shares break one of them less than once in 10^9 runs.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from math import comb
from typing import Any

import pytest
import urllib3
from hypothesis import given
from hypothesis import strategies as st

from auto_lambda.aws.urls import callable_url
from auto_lambda_cli.local_stack.embedded import EmbeddedAws
from auto_lambda_cli.local_stack.emulator.alias_weights import drawn

CALLS = 150
WEIGHT = 0.3
CODE = """
import os
def handler(event, context):
    if event == "fail":
        raise ValueError("as asked")
    return {"statusCode": 200, "body": os.environ["AWS_LAMBDA_FUNCTION_VERSION"] + " " + context.invoked_function_arn}
"""


def bounds(calls: int, weight: float, chance: float = 1e-10) -> tuple[int, int]:
    """The fewest and the most of so many calls that a version gets; outside of them by less than twice the chance."""
    odds = [comb(calls, count) * weight**count * (1 - weight) ** (calls - count) for count in range(calls + 1)]
    low = next(count for count in range(calls + 1) if sum(odds[: count + 1]) > chance)
    high = next(count for count in range(calls, -1, -1) if sum(odds[count:]) > chance)
    return low, high


@given(st.floats(0, 1, exclude_max=True), st.floats(0, 1))
def test_a_draw_below_the_weight_goes_to_the_other_version(draw: float, weight: float) -> None:
    alias = {"FunctionVersion": "1", "RoutingConfig": {"AdditionalVersionWeights": {"2": weight}}}
    assert drawn(alias, draw) == ("2" if draw < weight else "1")


@pytest.mark.parametrize("routing", [{}, {"RoutingConfig": {}}, {"RoutingConfig": {"AdditionalVersionWeights": {}}}])
def test_without_weights_every_call_goes_to_the_one_version(routing: dict[str, Any]) -> None:
    assert drawn({"FunctionVersion": "7", **routing}, 0.0) == "7"


def test_the_bounds_let_honest_shares_pass_and_catch_the_others() -> None:
    low, high = bounds(CALLS, WEIGHT)
    assert 0 < low < CALLS * WEIGHT < high < CALLS
    assert not low <= CALLS * (1 - WEIGHT) <= high, "the weights taken for each other"


@pytest.fixture(scope="module")
def shared(embedded_aws: EmbeddedAws, aws_client: Callable[[str], Any]) -> Iterator[Any]:
    """A function whose alias shares its calls between two versions."""
    functions = aws_client("lambda")
    with io.BytesIO() as file:
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("app.py", CODE)
        code = {"ZipFile": file.getvalue()}
    functions.create_function(
        FunctionName="shared", Runtime="python3.12", Handler="app.handler", Code=code,
        Role="arn:aws:iam::123456789012:role/any", Publish=True, Timeout=30,
    )  # fmt: skip
    functions.update_function_configuration(FunctionName="shared", Environment={"Variables": {"CHANGED": "yes"}})
    assert functions.publish_version(FunctionName="shared")["Version"] == "2"
    weights = {"AdditionalVersionWeights": {"2": WEIGHT}}
    functions.create_alias(FunctionName="shared", Name="live", FunctionVersion="1", RoutingConfig=weights)
    yield functions
    functions.delete_function(FunctionName="shared")


def shares(call: Callable[[], str]) -> Counter[str]:
    return Counter(call() for _ in range(CALLS))


def assert_shared(found: Counter[str]) -> None:
    low, high = bounds(CALLS, WEIGHT)
    assert set(found) == {"1", "2"}
    assert low <= found["2"] <= high


def test_invocations_are_shared_and_say_which_version_ran(shared: Any) -> None:
    def call() -> str:
        answer = shared.invoke(FunctionName="shared:live", Payload=b"{}")
        version, _, arn = json.loads(answer["Payload"].read())["body"].partition(" ")
        assert answer["ExecutedVersion"] == version
        assert arn.endswith(":function:shared:live"), "the function sees the name by which it was called"
        return str(version)

    assert_shared(shares(call))


def test_what_is_only_described_is_the_aliass_own_version(shared: Any) -> None:
    told = {shared.get_function_configuration(FunctionName="shared:live")["Version"] for _ in range(50)}
    assert told == {"1"}


def test_requests_are_shared(shared: Any, embedded_aws: EmbeddedAws) -> None:
    made = shared.create_function_url_config(FunctionName="shared", Qualifier="live", AuthType="NONE")
    url = callable_url(made["FunctionUrl"], embedded_aws.endpoint)
    http = urllib3.PoolManager()
    assert_shared(shares(lambda: http.request("GET", url).data.decode().partition(" ")[0]))


def test_failures_are_counted_by_version(shared: Any, aws_client: Callable[[str], Any]) -> None:
    began = datetime.now(UTC)
    failed = Counter(shared.invoke(FunctionName="shared:live", Payload=b'"fail"')["ExecutedVersion"] for _ in range(12))
    for version in ("1", "2"):
        dimensions = {"FunctionName": "shared", "Resource": "shared:live", "ExecutedVersion": version}
        told = aws_client("cloudwatch").get_metric_statistics(
            Namespace="AWS/Lambda", MetricName="Errors", Period=60, Statistics=["Sum"],
            Dimensions=[{"Name": name, "Value": value} for name, value in dimensions.items()],
            StartTime=began - timedelta(minutes=2), EndTime=began + timedelta(minutes=5),
        )  # fmt: skip
        assert sum(point["Sum"] for point in told["Datapoints"]) == failed[version]

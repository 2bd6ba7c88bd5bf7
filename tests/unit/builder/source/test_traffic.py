from __future__ import annotations

import tomllib
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auto_lambda.errors import AppError, Code
from builder.protocol.traffic import TrafficMessage
from builder.source.traffic import SETTINGS, read_traffic

CANARY = 'canary = {percent = 10, interval = "10m"}\n'
ALARM = "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:shop-prod-5xx"


def read(text: str) -> TrafficMessage:
    return read_traffic("auto-lambda.toml", tomllib.loads(text))


def refused(text: str) -> str:
    with pytest.raises(AppError) as caught:
        read(text)
    assert caught.value.code is Code.BAD_CONFIG
    assert all(name in caught.value.hint for name in SETTINGS)
    return caught.value.message


def test_a_kind_is_enough() -> None:
    assert read(CANARY) == TrafficMessage(kind="canary", percent=10, interval=600)
    assert read("linear = {percent = 25, interval = 90}").kind == "linear"


def test_everything_that_can_be_said() -> None:
    found = read(f'{CANARY}stages = ["prod"]\nerrors = 0\nslower = 1.5\nalarms = ["{ALARM}"]\n')
    assert found == TrafficMessage(
        kind="canary", percent=10, interval=600, stages=["prod"], errors=0.0, slower=1.5, alarms=[ALARM]
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "traffic needs one of canary and linear, and has neither"),
        (
            CANARY + "linear = {percent = 10, interval = 60}",
            "needs one of canary and linear, and has canary and linear",
        ),
        ("canary = 10", "traffic.canary has to be a share and a time, as in {percent = 10"),
        ("canary = {percent = 10}", "traffic.canary has to be a share and a time"),
        ('canary = {percent = 100, interval = "5m"}', "traffic.percent is 100, but has to be a whole number, 1 to 99"),
        ('canary = {percent = 5.5, interval = "5m"}', "traffic.percent is 5.5"),
        ('canary = {percent = true, interval = "5m"}', "traffic.percent is True"),
        ('canary = {percent = 10, interval = "1s"}', "traffic.interval is 1, but has to be a time such as '90s'"),
        ('canary = {percent = 10, interval = "a while"}', "traffic.interval is 'a while'"),
        (CANARY + "stages = 'prod'", "traffic.stages is 'prod', but has to be a list of stages"),
        (CANARY + "stages = ['Prod!']", "traffic.stages is 'Prod!'"),
        (CANARY + "errors = -1", "traffic.errors is -1"),
        (CANARY + "errors = nan", "traffic.errors is nan"),
        (CANARY + "slower = 0.5", "traffic.slower is 0.5"),
        (CANARY + "alarms = ['shop-5xx']", "traffic.alarms is 'shop-5xx', but has to be a list of ARNs"),
        (CANARY + "alarms = ['arn:aws:cloudwatch:eu-west-1:123456789012:alarm:*']", "traffic.alarms is"),
        (CANARY + "rollback = true", "traffic.rollback is no setting"),
    ],
)
def test_what_cannot_be_meant(text: str, told: str) -> None:
    assert told in refused(text)


def test_everything_that_is_wrong_is_told_at_once() -> None:
    message = refused("canary = {percent = 0, interval = 0}\nerrors = 101\nother = 1")
    assert "traffic.other is no setting" in message
    message = refused("canary = {percent = 0, interval = 0}\nerrors = 101")
    assert all(f"traffic.{name} is" in message for name in ("percent", "interval", "errors"))


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["percent", "interval", "x"]), inner),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from([*SETTINGS, "other"]), values))
def test_any_table_is_read_or_refused_as_the_uploaders(table: dict[str, Any]) -> None:
    with suppress(AppError):
        found = read_traffic("auto-lambda.toml", table)
        assert TrafficMessage.model_validate(found.model_dump()) == found

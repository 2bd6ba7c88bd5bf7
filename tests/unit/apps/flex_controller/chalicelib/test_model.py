"""What stacks and their events say, read into values."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from flex_controller.chalicelib.model import BadStack, Flex, History, Settings
from flex_world import ARN, NOON
from hypothesis import given
from hypothesis import strategies as st

STACK = "AWS::CloudFormation::Stack"


def event(seconds: float, status: str, token: str = "", resource: str = "", reason: str = "") -> dict[str, Any]:
    return {
        "Timestamp": NOON + timedelta(seconds=seconds),
        "StackId": ARN,
        "ResourceStatus": status,
        "ResourceType": "AWS::ECS::Service" if resource else STACK,
        "LogicalResourceId": resource or "al-Flex-shop-dev",
        "PhysicalResourceId": resource or ARN,
        "ResourceStatusReason": reason,
        **({"ClientRequestToken": token} if token else {}),
    }


def read(*events: dict[str, Any], since: datetime = NOON - timedelta(hours=1)) -> History:
    return History.read(reversed(events), since)


UP, MOVE = "flex-both-0-1", "flex-both-100-2"


def test_the_last_operation_s_end_counts_not_its_beginning() -> None:
    told = read(event(0, "UPDATE_IN_PROGRESS", UP), event(300, "UPDATE_COMPLETE", UP))
    assert told.settled == NOON + timedelta(seconds=300)
    (attempt,) = told.attempts
    assert (attempt.began, attempt.ended) == (NOON, NOON + timedelta(seconds=300))
    assert (attempt.phase, attempt.weight, attempt.failed, attempt.rescue) == ("both", 0, False, False)


def test_attempts_are_the_controller_s_own_newest_first() -> None:
    told = read(
        event(-7200, "CREATE_IN_PROGRESS"), event(-7100, "CREATE_COMPLETE"),
        event(0, "UPDATE_IN_PROGRESS", UP), event(1, "UPDATE_COMPLETE", UP),
        event(10, "UPDATE_IN_PROGRESS", "al-1234"), event(20, "UPDATE_COMPLETE", "al-1234"),
        event(30, "UPDATE_IN_PROGRESS", MOVE), event(31, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", MOVE),
    )  # fmt: skip
    assert [(one.weight, one.ended is None) for one in told.attempts] == [(100, True), (0, False)]
    assert told.settled == NOON + timedelta(seconds=31)


def test_what_failed_first_by_itself_is_the_reason() -> None:
    told = read(
        event(0, "UPDATE_IN_PROGRESS", UP),
        event(1, "CREATE_FAILED", UP, "Service", "Circuit Breaker was triggered"),
        event(2, "CREATE_FAILED", UP, "Listener", "Resource creation cancelled"),
        event(3, "UPDATE_ROLLBACK_IN_PROGRESS", UP), event(9, "UPDATE_ROLLBACK_COMPLETE", UP),
    )  # fmt: skip
    assert told.failure == "Service: Circuit Breaker was triggered"
    assert told.attempts[0].failed
    assert told.settled == NOON + timedelta(seconds=9)


def test_a_failure_of_an_earlier_operation_is_over() -> None:
    told = read(
        event(0, "UPDATE_IN_PROGRESS", UP), event(1, "CREATE_FAILED", UP, "Service", "no"),
        event(2, "UPDATE_ROLLBACK_COMPLETE", UP),
        event(10, "UPDATE_IN_PROGRESS", MOVE), event(11, "UPDATE_COMPLETE", MOVE),
    )  # fmt: skip
    assert (told.failure, [one.failed for one in told.attempts]) == ("", [False, True])


def test_what_could_not_be_deleted_is_known() -> None:
    down = "flex-lambda-0-3"
    told = read(
        event(0, "UPDATE_IN_PROGRESS", down), event(1, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", down),
        event(2, "DELETE_FAILED", down, "Vpc", "has dependencies"), event(3, "UPDATE_COMPLETE", down),
    )  # fmt: skip
    assert told.leftovers == ("Vpc",)


def test_what_was_deleted_at_the_second_try_is_gone() -> None:
    down = "flex-lambda-0-3"
    told = read(
        event(0, "UPDATE_IN_PROGRESS", down), event(2, "DELETE_FAILED", down, "Vpc", "has dependencies"),
        event(3, "DELETE_FAILED", down, "Group", "in use"), event(4, "DELETE_FAILED", down, "Group", "in use"),
        event(5, "DELETE_COMPLETE", down, "Vpc"), event(6, "UPDATE_COMPLETE", down),
    )  # fmt: skip
    assert told.leftovers == ("Group",)


def test_a_rescue_is_one() -> None:
    assert read(event(0, "UPDATE_IN_PROGRESS", "flex-both-0-rescue-5")).attempts[0].rescue


def test_older_events_are_not_read_but_those_of_the_last_operation_are() -> None:
    read_on: list[int] = []

    def pages() -> Any:
        for seconds, status in ((-7000, "UPDATE_COMPLETE"), (-7100, "UPDATE_IN_PROGRESS"), (-9000, "UPDATE_COMPLETE"),
                                (-9100, "UPDATE_IN_PROGRESS")):  # fmt: skip
            read_on.append(seconds)
            yield event(seconds, status, UP)

    told = History.read(pages(), NOON - timedelta(hours=1))
    assert told.settled == NOON - timedelta(seconds=7000)
    assert read_on == [-7000, -7100, -9000]


def described(**parameters: str) -> dict[str, Any]:
    given = {"Phase": "lambda", "FargateWeight": "0", "Mode": "auto", **parameters}
    return {
        "StackId": ARN, "StackName": "al-Flex-my-shop-dev", "StackStatus": "CREATE_COMPLETE", "CreationTime": NOON,
        "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()],
        "Outputs": [{"OutputKey": "AlarmNames", "OutputValue": "a b"}],
    }  # fmt: skip


def test_a_stack_is_read() -> None:
    flex = Flex.read(described())
    assert (flex.app, flex.stage, flex.alarms, flex.settings) == ("my-shop", "dev", ("a", "b"), Settings())
    assert flex.parameters == ("Phase", "FargateWeight", "Mode")


@pytest.mark.parametrize(
    "parameters", [{"Phase": "up"}, {"Mode": ""}, {"FargateWeight": "101"}, {"FargateWeight": "-1"}, {"Phase": ""}]
)
def test_parameters_of_another_kind_are_refused(parameters: dict[str, str]) -> None:
    with pytest.raises(BadStack, match="not those of a flex stack"):
        Flex.read(described(**parameters))


def test_settings_are_those_of_the_section() -> None:
    told = {"ttl": 2, "cool_down": 5.5, "transitions_per_hour": 40, "min_tasks": 2, "max_tasks": 9, "cpu": 256}
    read_ = Settings.read(json.dumps({**told, "variant": "standing-load-balancer"}))
    assert (read_.ttl.total_seconds(), read_.cool_down.total_seconds(), read_.per_hour) == (2, 5.5, 40)
    assert (read_.min_tasks, read_.max_tasks, read_.drain.total_seconds()) == (2, 9, 0)
    assert Settings.read(json.dumps(told)).drain.total_seconds() == 4


@given(
    st.one_of(
        st.text(),
        st.dictionaries(st.sampled_from(["ttl", "cool_down", "min_tasks"]), st.text() | st.none() | st.floats()).map(
            json.dumps
        ),
    )
)
def test_settings_that_cannot_be_read_are_a_bad_stack_and_nothing_else(text: str) -> None:
    try:
        Settings.read(text)
    except BadStack as error:
        assert "Settings" in str(error)  # noqa: PT017

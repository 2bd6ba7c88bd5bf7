"""Runs of the controller on flex stacks of the embedded AWS: the way up and down, and what stands in the way."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from flex_stack import SETTINGS, FlexApp

CHEAP = {"LambdaRecord", "TaskDefinition", "TaskRole", "ExecutionRole", "Logs", "High"}


@pytest.fixture
def app(aws_client: Callable[[str], Any]) -> Iterator[FlexApp]:
    made = FlexApp(aws_client, f"s{uuid.uuid4().hex[:10]}").make()
    yield made
    made.delete()


def refused(code: str, message: str = "a test") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "UpdateStack")


def until(app: FlexApp, at: tuple[str, int], minutes: int = 30) -> list[tuple[str, int]]:
    """Where the app was, minute by minute, until it is somewhere."""
    seen = [app.at()]
    while seen[-1] != at:
        assert len(seen) <= minutes, (seen, app.row())
        app.minute()
        seen.append(app.at())
    return [one for index, one in enumerate(seen) if index == 0 or one != seen[index - 1]]


def test_it_goes_up_and_down_one_transition_at_a_time_and_leaves_nothing_dear(app: FlexApp) -> None:
    assert app.resources() == CHEAP
    app.demand("high")
    assert until(app, ("fargate", 100)) == [("lambda", 0), ("both", 0), ("both", 100), ("fargate", 100)]
    assert app.resources() > CHEAP | {"LoadBalancer", "TargetGroup", "Service", "Vpc"}
    assert app.weights() == {"lambda": 0, "fargate": 100}
    app.demand("low")
    assert until(app, ("lambda", 0)) == [("fargate", 100), ("both", 0), ("lambda", 0)]
    assert app.resources() == CHEAP
    assert app.weights() == {"lambda": 100}


def test_what_others_have_set_stays(app: FlexApp) -> None:
    app.set(Mode="up")
    until(app, ("fargate", 100))
    assert app.parameters() == {"Phase": "fargate", "FargateWeight": "100", "Mode": "up", "Broken": "no"}
    assert {one["Key"] for one in app.described()["Tags"]} >= {"auto-lambda:flex"}


def test_unhealthy_tasks_never_get_traffic_and_are_told(app: FlexApp) -> None:
    app.healthy = False
    app.demand("high")
    for _ in range(20):
        app.minute()
    assert app.at() == ("both", 0)
    assert app.weights() == {"lambda": 100, "fargate": 0}
    row = app.row()
    assert row["stuck"]
    assert "0 of 1 tasks are healthy: no traffic moves" in row["why"]
    app.healthy = True
    app.minute()
    assert app.at() == ("both", 100)


def test_a_transition_that_fails_has_gone_back_is_told_and_is_tried_again_after_the_cool_down(app: FlexApp) -> None:
    app.set(Broken="yes")
    app.demand("high")
    app.minute()
    assert app.described()["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert app.at() == ("lambda", 0)
    assert app.resources() == CHEAP
    row = app.row()
    assert "the last update failed and was taken back (Impossible: " in row["why"]
    assert (row["transitions"][0]["failed"], row["stuck"], row["next"] is None) == (True, False, False)
    app.minute()
    assert app.described()["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE", "it cools down"
    app.set(Broken="no")
    assert until(app, ("fargate", 100))[:2] == [("lambda", 0), ("both", 0)]


def test_a_load_balancer_that_does_not_answer_gets_none_either(app: FlexApp) -> None:
    app.answers = False
    app.demand("high")
    for _ in range(3):
        app.minute()
    assert app.at() == ("both", 0)
    assert "does not answer yet: no traffic moves (503 for health)" in app.row()["why"]


def test_a_load_balancer_that_stays_has_the_traffic_anyway_and_is_not_asked_by_way_of_the_function(
    aws_client: Callable[[str], Any],
) -> None:
    made = FlexApp(aws_client, "standing", {**SETTINGS, "variant": "standing-load-balancer"}).make()
    try:
        made.answers = False
        made.demand("high")
        assert until(made, ("fargate", 100)) == [("lambda", 0), ("both", 0), ("both", 100), ("fargate", 100)]
    finally:
        made.delete()


def test_traffic_leaves_tasks_that_have_become_unhealthy(app: FlexApp) -> None:
    app.demand("high")
    until(app, ("fargate", 100))
    app.healthy = False
    app.minute()
    assert app.at() == ("both", 0)
    app.healthy = True
    app.minute()
    assert app.at() == ("both", 0)
    assert "were not healthy" in app.row()["why"]


def test_the_status_tells_all_that_the_commands_show(app: FlexApp) -> None:
    app.demand("high")
    app.minute()
    app.minute()
    row = app.row()
    assert (row["app"], row["stage"], row["domain"]) == (app.name, "dev", f"{app.name}-dev.example.com")
    assert (row["phase"], row["weights"], row["mode"]) == ("both", {"lambda": 0, "fargate": 100}, "auto")
    assert row["tasks"] == {"healthy": 1, "running": 1, "desired": 1, "min": 1, "max": 4}
    assert row["alarms"] == {"high": "ALARM", "low": "OK"}
    assert [(one["phase"], one["weight"], one["failed"]) for one in row["transitions"]] == [
        ("both", 100, False), ("both", 0, False),
    ]  # fmt: skip
    assert row["next"] is not None
    assert "clients may still hold the old record" in row["why"]


def test_apps_of_another_pipeline_are_left_alone(app: FlexApp) -> None:
    convergence = app.convergence()
    convergence.pipeline = "another"
    assert convergence.look() == []


def test_a_stack_that_is_not_one_of_the_pipelines_is_told_and_the_others_go_on(
    app: FlexApp, aws_client: Callable[[str], Any]
) -> None:
    cloudformation = aws_client("cloudformation")
    cloudformation.create_stack(
        StackName="al-Flex-odd-dev",
        TemplateBody='{"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}',
        Tags=[{"Key": "auto-lambda:pipeline", "Value": "auto-lambda"}],
    )
    try:
        app.demand("high")
        rows = {row.name: row for row in app.convergence().run()}
        assert app.at() == ("both", 0)
        assert "its parameters are not those of a flex stack" in rows["al-Flex-odd-dev"].told()["why"]
        assert rows["al-Flex-odd-dev"].stuck
    finally:
        cloudformation.delete_stack(StackName="al-Flex-odd-dev")


@pytest.mark.parametrize(
    ("error", "why", "stuck"),
    [
        (refused("ThrottlingException"), "AWS asks to wait", False),
        (refused("AccessDenied", "not authorized to perform iam:PassRole"), "not granted", True),
        (
            refused("ValidationError", "Stack is in UPDATE_IN_PROGRESS state and can not be updated."),
            "just begun",
            False,
        ),
        (refused("ValidationError", "Role arn:aws:iam::1:role/auto-lambda/flex/flex-stacks is invalid"), "Role", True),
    ],
)
def test_what_aws_refuses_is_told_and_tried_again(
    app: FlexApp, monkeypatch: pytest.MonkeyPatch, error: ClientError, why: str, stuck: bool
) -> None:
    def refuse(**_: Any) -> None:
        raise error

    app.demand("high")
    with monkeypatch.context() as patched:
        patched.setattr(app.clients["cloudformation"], "update_stack", refuse)
        (row,) = app.run()
    assert why in row.told()["why"]
    assert row.stuck is stuck
    app.run()
    assert app.at() == ("both", 0)


def test_metrics_say_how_many_apps_there_are_and_how_many_are_stuck(app: FlexApp) -> None:
    app.demand("high")
    app.run()
    told = app.clients["cloudwatch"].list_metrics(Namespace="auto-lambda/platform/flex-controller")["Metrics"]
    assert {one["MetricName"] for one in told} >= {"Apps", "OnFargate", "Failed", "Stuck", "Transitions"}
    assert [line["phase"] for line in app.lines if line["event"] == "moved"] == ["both"]

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError

from auto_lambda.aws.cloudformation import Plan, StackFailed, Stacks

QUEUE = {"Type": "AWS::SQS::Queue"}
IMPOSSIBLE = {**QUEUE, "Properties": {"RedrivePolicy": {"deadLetterTargetArn": 5, "maxReceiveCount": "x"}}}


def body(outputs: dict[str, Any] | None = None, **resources: Any) -> str:
    return json.dumps({"Resources": resources, "Outputs": outputs or {}})


@pytest.fixture
def stacks(aws_client: Callable[[str], Any]) -> Stacks:
    return Stacks(aws_client("cloudformation"), patience=20)


@pytest.fixture
def name(stacks: Stacks, request: pytest.FixtureRequest) -> Iterator[str]:
    name = re.sub(r"[\W_]+", "-", request.node.name).rstrip("-")
    yield name
    stacks.delete(name)


def test_create_update_and_nothing_to_do(stacks: Stacks, name: str) -> None:
    told: list[str] = []
    outputs = {"Url": {"Value": {"Ref": "Jobs"}}}
    first = stacks.deploy(Plan(name, body=body(outputs, Jobs=QUEUE), tags={"app": "shop"}), told.append)
    assert first.changed
    assert first.stack.status == "CREATE_COMPLETE"
    assert "/123456789012/" in first.stack.outputs["Url"]
    assert first.stack.tags == {"app": "shop"}
    assert "CREATE_COMPLETE Jobs" in told
    assert told[-1] == f"CREATE_COMPLETE {name}"
    assert not stacks.deploy(Plan(name, body=body(outputs, Jobs=QUEUE), tags={"app": "shop"})).changed
    told.clear()
    second = stacks.deploy(Plan(name, body=body(outputs, Jobs=QUEUE, More=QUEUE), tags={"app": "shop"}), told.append)
    assert second.changed
    assert "UPDATE_COMPLETE More" in told
    assert not any(line.startswith("CREATE_COMPLETE") for line in told), "earlier operations are not told again"


def test_parameters(stacks: Stacks, name: str) -> None:
    template = json.dumps(
        {
            "Parameters": {"Word": {"Type": "String"}},
            "Resources": {"Jobs": QUEUE},
            "Outputs": {"Word": {"Value": {"Ref": "Word"}}},
        }
    )
    assert stacks.deploy(Plan(name, body=template, parameters={"Word": "a"})).stack.outputs["Word"] == "a"


def test_no_stack(stacks: Stacks) -> None:
    assert stacks.describe("nobodys-stack") is None
    stacks.delete("nobodys-stack")


def test_a_failed_creation_names_the_resource_and_is_made_anew(stacks: Stacks, name: str) -> None:
    with pytest.raises(StackFailed) as caught:
        stacks.deploy(Plan(name, body=body(Good=QUEUE, Bad={**IMPOSSIBLE, "DependsOn": "Good"})))
    assert caught.value.resource == "Bad"
    assert caught.value.reason
    assert caught.value.status == "ROLLBACK_COMPLETE"
    left = stacks.describe(name)
    assert left
    assert left.status == "ROLLBACK_COMPLETE"
    assert stacks.deploy(Plan(name, body=body(Good=QUEUE))).stack.status == "CREATE_COMPLETE"


def test_a_failed_update_is_rolled_back(stacks: Stacks, name: str) -> None:
    stacks.deploy(Plan(name, body=body(Good=QUEUE)))
    with pytest.raises(StackFailed) as caught:
        stacks.deploy(Plan(name, body=body(Good=QUEUE, Bad=IMPOSSIBLE)))
    assert caught.value.resource == "Bad"
    left = stacks.describe(name)
    assert left
    assert left.status == "UPDATE_ROLLBACK_COMPLETE"
    assert stacks.deploy(Plan(name, body=body(Good=QUEUE, Better=QUEUE))).changed


def test_a_template_that_is_none(stacks: Stacks, name: str) -> None:
    with pytest.raises(StackFailed) as caught:
        stacks.deploy(Plan(name, body=json.dumps({"Resources": {"X": {"Type": "AWS::No::Such"}}})))
    assert caught.value.resource is None
    assert stacks.describe(name) is None


def test_by_its_token_an_operation_is_known_as_that_of_a_plan(
    stacks: Stacks, name: str, aws_client: Callable[[str], Any]
) -> None:
    plan, other = Plan(name, body=body(Jobs=QUEUE)), Plan(name, body=body(Jobs=QUEUE, More=QUEUE))
    stacks.deploy(plan)
    events = aws_client("cloudformation").describe_stack_events(StackName=name)["StackEvents"]
    of_its_own = [event for event in events if event["ResourceStatus"] != "REVIEW_IN_PROGRESS"]
    assert of_its_own
    for event in of_its_own:
        assert event["ClientRequestToken"].startswith(plan.token)
        assert not event["ClientRequestToken"].startswith(other.token)


@pytest.mark.parametrize("updates", [False, True])
def test_a_change_set_of_a_dead_process_is_not_left_behind(
    stacks: Stacks, name: str, updates: bool, aws_client: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = aws_client("cloudformation")
    if updates:
        stacks.deploy(Plan(name, body=body(Topic={"Type": "AWS::SNS::Topic"})))
    plan = Plan(name, body=body(Queue={"Type": "AWS::SQS::Queue"}))
    with monkeypatch.context() as patch:
        patch.setattr(client, "execute_change_set", lambda **_: sys.exit("killed"))
        with pytest.raises(SystemExit, match="killed"):
            Stacks(client, patience=20).deploy(plan)
    assert waiting(client, name) == 1
    assert stacks.deploy(plan).changed
    assert waiting(client, name) == 0


def waiting(client: Any, stack: str) -> int:
    """Change sets that could be executed."""
    found = client.list_change_sets(StackName=stack)["Summaries"]
    return [it["ExecutionStatus"] for it in found].count("AVAILABLE")


def test_resources_are_told_by_their_logical_ids(stacks: Stacks, name: str) -> None:
    stacks.deploy(Plan(name, body=body(Jobs=QUEUE)))
    assert "Jobs" in stacks.resources(name)


# ------------------------------------------------- what the embedded AWS cannot show, on a client that plays a part


PLAN = Plan("shop", body="{}")


def event(number: int, status: str, resource: str, reason: str = "", token: str = "console") -> dict[str, str]:
    physical = "arn:stack" if resource == "shop" else resource.lower()
    return {
        "EventId": str(number), "ResourceStatus": status, "LogicalResourceId": resource, "ResourceStatusReason": reason,
        "PhysicalResourceId": physical, "ClientRequestToken": token,
    }  # fmt: skip


class Actor:
    """CloudFormation for one stack: goes through statuses, one a look, and has a list of events by then."""

    def __init__(self, statuses: Sequence[str | None], events: Sequence[dict[str, str]] = ()) -> None:
        self.statuses = list(statuses)
        self.events = list(reversed(events))
        self.called: list[str] = []
        self.change_set: dict[str, str] = {"Status": "CREATE_COMPLETE"}
        self.validation: list[dict[str, str]] | ClientError = []
        self.requests: list[tuple[str, dict[str, Any]]] = []

    def describe_stacks(self, **request: str) -> dict[str, Any]:
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        if status is None:
            said = f"Stack with id {request['StackName']} does not exist"
            raise ClientError({"Error": {"Code": "ValidationError", "Message": said}}, "DescribeStacks")
        return {"Stacks": [{"StackName": "shop", "StackId": "arn:stack", "StackStatus": status}]}

    def describe_stack_events(self, **_: str) -> dict[str, Any]:
        return {"StackEvents": []}

    def get_paginator(self, operation: str) -> Any:
        return SimpleNamespace(paginate=self.describe_events if operation == "describe_events" else self.stack_events)

    def stack_events(self, **_: str) -> list[dict[str, Any]]:
        return [{"StackEvents": self.events}]

    def describe_events(self, **request: Any) -> list[dict[str, Any]]:
        self.called.append("describe_events")
        self.requests.append(("describe_events", request))
        if isinstance(self.validation, ClientError):
            raise self.validation
        return [{"OperationEvents": self.validation}]

    def create_change_set(self, **request: Any) -> dict[str, str]:
        self.called.append(f"change set {request['ChangeSetType']}")
        return {"Id": "arn:change-set"}

    def describe_change_set(self, **request: str) -> dict[str, str]:
        self.requests.append(("describe_change_set", request))
        return self.change_set

    def __getattr__(self, operation: str) -> Callable[..., None]:
        def call(**request: str) -> None:
            self.called.append(operation)
            self.requests.append((operation, request))

        return call


def play(actor: Actor, patience: float = 60) -> Stacks:
    now = 0.0

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    return Stacks(cast("Any", actor), sleep=sleep, clock=lambda: now, patience=patience)


def test_the_first_failure_counts_not_its_consequences() -> None:
    events = [
        event(1, "UPDATE_IN_PROGRESS", "shop"),
        event(2, "CREATE_FAILED", "Late", "Resource creation cancelled"),
        event(3, "CREATE_FAILED", "Role", "the role's name is taken"),
        event(4, "UPDATE_FAILED", "Api", "another"),
        event(5, "UPDATE_ROLLBACK_IN_PROGRESS", "shop", "The following resource(s) failed to create: [Role]"),
    ]
    actor = Actor(["UPDATE_COMPLETE", "UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE"], events)
    with pytest.raises(StackFailed, match="Role: the role's name is taken"):
        play(actor).deploy(Plan("shop", body="{}"))


NOTHING_TO_DO = {"Status": "FAILED", "StatusReason": "No updates are to be performed."}
MOVING = [
    ("CREATE_IN_PROGRESS", "CREATE_COMPLETE"),
    ("UPDATE_IN_PROGRESS", "UPDATE_COMPLETE"),
    ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_COMPLETE"),
    ("UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE"),
    ("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE"),
]


@pytest.mark.parametrize(("moving", "still"), MOVING)
def test_an_operation_of_somebody_else_is_waited_for(moving: str, still: str) -> None:
    """Not our plan's: when it stands still, it is brought to what is wanted."""
    events = [event(1, "UPDATE_FAILED", "Role", "their mistake")]
    actor = Actor([moving, moving, still, "UPDATE_COMPLETE"], events)
    told: list[str] = []
    play(actor).deploy(PLAN, told.append)
    assert told[0] == f"shop: {moving}, waiting"
    assert actor.called == ["change set UPDATE", "execute_change_set"]


@pytest.mark.parametrize(("moving", "still"), MOVING[:2])
def test_our_own_operation_is_adopted_and_not_done_twice(moving: str, still: str) -> None:
    """A worker died while CloudFormation went on: its successor finds all done."""
    actor = Actor([moving, moving, still], [event(1, still, "shop", token=f"{PLAN.token}0")])
    actor.change_set = NOTHING_TO_DO
    assert not play(actor).deploy(PLAN).changed
    assert actor.called == ["change set UPDATE", "delete_change_set"]


@pytest.mark.parametrize(
    ("moving", "still"),
    [
        ("CREATE_IN_PROGRESS", "ROLLBACK_COMPLETE"),
        ("ROLLBACK_IN_PROGRESS", "ROLLBACK_COMPLETE"),
        ("UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE"),
        ("UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_FAILED"),
    ],
)
def test_our_own_operation_that_fails_while_adopted_is_not_tried_a_second_time(moving: str, still: str) -> None:
    events = [
        event(1, "UPDATE_FAILED", "Old", "of an earlier operation"),
        event(2, "CREATE_FAILED", "Role", "the role's name is taken", f"{PLAN.token}0"),
        event(3, "UPDATE_FAILED", "Api", "another", f"{PLAN.token}0"),
        event(4, still, "shop", token=f"{PLAN.token}0"),
    ]
    actor = Actor([moving, moving, still], events)
    with pytest.raises(StackFailed, match="Role: the role's name is taken") as caught:
        play(actor).deploy(PLAN)
    assert caught.value.status == still
    assert actor.called == []


def test_a_failed_creation_of_somebody_else_is_waited_for_and_made_anew() -> None:
    actor = Actor(["ROLLBACK_IN_PROGRESS", "ROLLBACK_IN_PROGRESS", "ROLLBACK_COMPLETE", "ROLLBACK_COMPLETE",
                   "DELETE_COMPLETE", "CREATE_COMPLETE"])  # fmt: skip
    play(actor).deploy(PLAN)
    assert actor.called == ["delete_stack", "change set CREATE", "execute_change_set"]


def test_a_deletion_under_way_is_waited_for_and_the_stack_created() -> None:
    actor = Actor(["DELETE_IN_PROGRESS", "DELETE_IN_PROGRESS", None, "CREATE_COMPLETE"])
    play(actor).deploy(PLAN)
    assert actor.called == ["change set CREATE", "execute_change_set"]


def test_a_deletion_under_way_that_fails_is_tried_again() -> None:
    actor = Actor(["DELETE_IN_PROGRESS", "DELETE_FAILED", "DELETE_FAILED", "DELETE_COMPLETE", "CREATE_COMPLETE"])
    play(actor).deploy(PLAN)
    assert actor.called == ["delete_stack", "change set CREATE", "execute_change_set"]


def test_what_is_under_way_ends_before_a_deletion() -> None:
    actor = Actor(["UPDATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "UPDATE_COMPLETE", "DELETE_COMPLETE"])
    play(actor).delete("shop")
    assert actor.called == ["delete_stack"]
    actor = Actor(["DELETE_IN_PROGRESS", "DELETE_IN_PROGRESS", None])
    play(actor).delete("shop")
    assert actor.called == []


def test_a_stack_that_cannot_be_deleted_names_the_resource() -> None:
    actor = Actor(["DELETE_FAILED"], [event(1, "DELETE_FAILED", "Net", "it has dependencies")])
    with pytest.raises(StackFailed, match="Net: it has dependencies") as caught:
        play(actor).deploy(PLAN)
    assert caught.value.status == "DELETE_FAILED"
    assert actor.called == ["delete_stack"]


def test_a_refused_creation_leaves_no_stack_in_review() -> None:
    """The embedded AWS refuses a change set only before it makes one."""
    actor = Actor([None])
    actor.change_set = {"Status": "FAILED", "StatusReason": "Circular dependency between resources: [A, B]"}
    with pytest.raises(StackFailed, match="Circular dependency"):
        play(actor).deploy(PLAN)
    assert actor.called == ["change set CREATE", "describe_events", "delete_change_set", "delete_stack"]


EARLY = {
    "Status": "FAILED",
    "StatusReason": "The following hook(s)/validation failed: [AWS::EarlyValidation::ResourceExistenceCheck]. To "
    "troubleshoot Early Validation errors, use the DescribeEvents API for detailed failure information.",
}


def found(reason: str, name: str = "NAME_CONFLICT_VALIDATION", mode: str = "FAIL") -> dict[str, str]:
    return {
        "EventType": "VALIDATION_ERROR", "LogicalResourceId": "Main", "ResourceType": "AWS::Lambda::Function",
        "ValidationName": name, "ValidationStatus": "FAILED", "ValidationFailureMode": mode,
        "ValidationStatusReason": reason,
    }  # fmt: skip


TAKEN = found("Resource of type 'AWS::Lambda::Function' with identifier 'shop-dev' already exists.")


def refused(actor: Actor) -> StackFailed:
    actor.change_set = EARLY
    with pytest.raises(StackFailed) as caught:
        play(actor).deploy(PLAN)
    return caught.value


def test_the_reason_of_an_early_validation_is_asked_for_before_its_change_set_is_deleted() -> None:
    actor = Actor([None])
    actor.validation = [found("a quota is near", "SERVICE_QUOTA_VALIDATION", "WARN"), TAKEN]
    failure = refused(actor)
    assert (failure.resource, failure.reason) == ("Main", TAKEN["ValidationStatusReason"])
    assert not failure.passing
    assert [one.check for one in failure.findings] == ["NAME_CONFLICT_VALIDATION"]
    assert actor.called == ["change set CREATE", "describe_events", "delete_change_set", "delete_stack"]


def test_every_finding_is_told() -> None:
    actor = Actor(["UPDATE_COMPLETE"])
    actor.validation = [
        TAKEN,
        TAKEN,
        {**found("Required property [Handler] not found"), "ValidationPath": "/Resources/X"},
    ]
    assert "already exists.; Main: Required property [Handler] not found (at /Resources/X)" in refused(actor).reason


def test_an_exhausted_quota_is_on_our_side() -> None:
    actor = Actor([None])
    actor.validation = [found("Regional APIs: the limit of 600 is exceeded", "SERVICE_QUOTA_VALIDATION")]
    assert refused(actor).passing
    actor.validation = [*actor.validation, TAKEN]
    assert not refused(actor).passing


def test_a_reason_that_may_not_be_read_leaves_that_of_the_change_set() -> None:
    actor = Actor([None])
    actor.validation = ClientError({"Error": {"Code": "AccessDenied", "Message": "not authorized"}}, "DescribeEvents")
    failure = refused(actor)
    assert "ResourceExistenceCheck" in failure.reason
    assert "not authorized" in failure.reason
    assert not failure.passing
    assert actor.called[-1] == "delete_stack"


def test_calls_about_a_change_set_name_its_stack_as_well() -> None:
    """Whether IAM is asked about the stack or about the change set is not documented."""
    one, other = Actor([None, "CREATE_COMPLETE"]), Actor([None])
    play(one).deploy(PLAN)
    refused(other)
    about = {name: request for name, request in (*one.requests, *other.requests) if "ChangeSetName" in request}
    assert about.keys() == {"describe_change_set", "execute_change_set", "describe_events", "delete_change_set"}
    assert {request["StackName"] for request in about.values()} == {"shop"}
    assert {request["ChangeSetName"] for request in about.values()} == {"arn:change-set"}


def test_a_creation_that_was_only_reviewed_is_created() -> None:
    actor = Actor(["REVIEW_IN_PROGRESS", "CREATE_IN_PROGRESS", "CREATE_COMPLETE"])
    play(actor).deploy(Plan("shop", body="{}"))
    assert actor.called == ["change set CREATE", "execute_change_set"]


@pytest.mark.parametrize("status", ["ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED"])
def test_what_never_served_is_deleted_first(status: str) -> None:
    actor = Actor([status, status, "DELETE_COMPLETE", "CREATE_COMPLETE"])
    play(actor).deploy(Plan("shop", body="{}"))
    assert actor.called == ["delete_stack", "change set CREATE", "execute_change_set"]


def test_a_stuck_rollback_is_continued() -> None:
    actor = Actor(["UPDATE_ROLLBACK_FAILED", "UPDATE_ROLLBACK_COMPLETE", "UPDATE_COMPLETE"])
    play(actor).deploy(Plan("shop", body="{}"))
    assert actor.called == ["continue_update_rollback", "change set UPDATE", "execute_change_set"]


def test_a_rollback_that_stays_stuck() -> None:
    actor = Actor(["UPDATE_ROLLBACK_FAILED"], [event(1, "UPDATE_FAILED", "Role", "it is in use")])
    with pytest.raises(StackFailed, match="Role: it is in use"):
        play(actor).deploy(Plan("shop", body="{}"))


def test_a_change_set_that_is_refused() -> None:
    actor = Actor(["UPDATE_COMPLETE"])
    actor.change_set = {"Status": "FAILED", "StatusReason": "Circular dependency between resources: [A, B]"}
    with pytest.raises(StackFailed, match="Circular dependency"):
        play(actor).deploy(Plan("shop", body="{}"))
    assert actor.called == ["change set UPDATE", "describe_events", "delete_change_set"]


def test_a_stack_that_never_stops() -> None:
    with pytest.raises(TimeoutError, match="shop still has an operation in progress after 60 s"):
        play(Actor(["UPDATE_COMPLETE", "UPDATE_IN_PROGRESS"])).deploy(Plan("shop", body="{}"))

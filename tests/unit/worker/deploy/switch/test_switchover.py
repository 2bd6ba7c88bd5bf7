"""A release is led to once it has answered, and whoever dies on the way leaves what another one finishes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from deployments import CRASH, World, ask
from drafts import HELLO, resource, rest_template

from auto_lambda.errors import AppError, Code
from worker.deploy.outlook import SECONDS_AHEAD, Outlook


class Killed(BaseException):
    """The worker dies."""


def kill(world: World, monkeypatch: pytest.MonkeyPatch, call: str, nth: int, *, after: bool) -> None:
    """Let the worker die at the n-th call of a client, before or after AWS has done it."""
    service, name = call.split(":")
    client = {"cloudformation": world.cloudformation, "lambda": world.lambda_}[service]
    real, seen = getattr(client, name), [0]

    def dying(**given: Any) -> Any:
        seen[0] += 1
        if seen[0] == nth and not after:
            raise Killed
        answer = real(**given)
        if seen[0] == nth:
            raise Killed
        return answer

    monkeypatch.setattr(client, name, dying)


STACK, CODE, SETTINGS = "execute_change_set", "update_function_code", "update_function_configuration"


@pytest.mark.parametrize(
    ("call", "nth", "after"),
    [(STACK, 1, True), (STACK, 2, False), (SETTINGS, 1, True), (CODE, 1, True), (CODE, 2, False), (SETTINGS, 2, False)],
)
def test_one_who_dies_while_an_unhealthy_release_is_taken_away(
    world: World, monkeypatch: pytest.MonkeyPatch, call: str, nth: int, after: bool
) -> None:
    """The second call of each kind goes back. A release with a queue goes by the stack, one without past it."""
    template = rest_template()
    if call == STACK:
        template["Resources"]["Queue"] = resource("SQS::Queue")
    settings = {"COLOR": "black"} if call == SETTINGS else {}
    before, broken = world.make.bundle(), world.make.bundle(template, CRASH, environment=settings)
    first = world.deploy(before)
    with monkeypatch.context() as patched:
        kill(world, patched, f"{'cloudformation' if call == STACK else 'lambda'}:{call}", nth, after=after)
        with pytest.raises(Killed):
            world.deploy(broken, before.template_key)
    known = AppError(Code.UNHEALTHY, "it failed", hint="") if nth == 2 else None
    with pytest.raises(AppError) as caught:
        world.deploy(broken, before.template_key, known_failure=known)
    assert caught.value.code is Code.UNHEALTHY
    assert world.restored
    assert (world.live(first.function), world.restored.version) == ("1", "1")
    assert ask(first.url).startswith("white")
    assert world.versions(first.function) == ["1", "2"]
    latest, live = (world.lambda_.get_function_configuration(FunctionName=first.function, **more)
                    for more in ({}, {"Qualifier": "1"}))  # fmt: skip
    assert (latest["CodeSha256"], latest["Environment"]) == (live["CodeSha256"], live["Environment"])


def test_what_was_looked_at_ahead_is_not_asked_again_before_users_are_switched(world: World) -> None:
    before, called = world.make.bundle(), list[str]()
    world.deploy(before)
    outlook = world.deployer.look(world.app, before.template_key)
    for client in (world.cloudformation, world.lambda_):
        client.meta.events.register("before-call", lambda model, **_: called.append(model.name))
    made = world.deploy(world.make.bundle(code=HELLO + "#"), before.template_key, outlook=outlook)
    assert (made.version, world.live(made.function)) == ("2", "2")
    first = called[: called.index("UpdateAlias") + 1]
    assert list(dict.fromkeys(first)) == ["UpdateFunctionCode", "GetFunctionConfiguration", "Invoke", "UpdateAlias"]


def test_a_stack_that_something_is_missing_of_is_not_relied_on(world: World) -> None:
    before = world.make.bundle()
    assert world.deployer.look(world.app, None) == Outlook()
    first = world.deploy(before)
    seen = world.deployer.look(world.app, before.template_key)
    assert seen.standing
    assert replace(seen, began=seen.began - SECONDS_AHEAD).standing is None, "it was seen too long ago"
    assert seen.live == before.template
    world.lambda_.delete_alias(FunctionName=first.function, Name="live")
    assert world.deployer.look(world.app, before.template_key).standing is None


def test_users_never_get_what_somebody_has_published_by_hand(world: World) -> None:
    before = world.make.bundle()
    first = world.deploy(before)
    world.lambda_.update_function_configuration(FunctionName=first.function, Handler="nowhere.handler")
    assert world.lambda_.publish_version(FunctionName=first.function)["Version"] == "2"
    with pytest.raises(AppError):
        world.deploy(world.make.bundle(code=CRASH), before.template_key)
    assert ask(first.url).startswith("white")
    assert world.live(first.function) == "1"
    latest = world.lambda_.get_function_configuration(FunctionName=first.function)
    assert latest["Handler"] == "app.handler"


@pytest.mark.parametrize("what", ["code", "settings", "deleted"])
def test_what_was_changed_by_hand_before_anything_was_live_is_undone(world: World, what: str) -> None:
    """CloudFormation compares templates: for it, there is nothing to do."""
    with pytest.raises(AppError):
        world.deploy(world.make.bundle(code=CRASH, health_path="/crash"))
    resources = world.cloudformation.describe_stack_resources(StackName=world.app.stack)["StackResources"]
    function = next(it["PhysicalResourceId"] for it in resources if it["LogicalResourceId"] == "Api")
    change_by_hand(world, function, what)
    with pytest.raises(AppError, match="out of ideas"):
        world.deploy(world.make.bundle(code=CRASH, health_path="/crash"))
    made = world.deploy(world.make.bundle())
    assert ask(made.url).startswith("white")
    live = world.lambda_.get_function_configuration(FunctionName=f"{made.function}:live")
    assert (live["Timeout"], live["Handler"]) == (3, "app.handler")


def change_by_hand(world: World, function: str, what: str) -> None:
    match what:
        case "code":
            zipped = next(it.path for it in world.make.bundle().artifacts if it.key.endswith(".zip"))
            world.lambda_.update_function_code(FunctionName=function, ZipFile=zipped.read_bytes())
        case "settings":
            world.lambda_.update_function_configuration(FunctionName=function, Timeout=77, Handler="by.hand")
        case _:
            world.lambda_.delete_function(FunctionName=function)


def test_an_alias_that_was_moved_after_it_was_looked_at_is_moved_back(world: World) -> None:
    before = world.make.bundle()
    first = world.deploy(before)
    world.deploy(world.make.bundle(code=HELLO + "#"), before.template_key)
    world.deploy(before)
    outlook = world.deployer.look(world.app, before.template_key)
    world.lambda_.update_alias(FunctionName=first.function, Name="live", FunctionVersion="2")
    assert world.deploy(before, before.template_key, outlook=outlook).version == "1"
    assert world.live(first.function) == "1"

"""The release command runs as the new version before that takes the traffic, and stops the deployment if it fails."""

from __future__ import annotations

from dataclasses import replace

import pytest
from deployments import World, ask

from auto_lambda.errors import AppError, Code
from worker.model import Bundle

COMMAND = {"manage": "migrate"}
MIGRATING = """
import os


def handler(event, context):
    if "manage" in event:
        print("migrated by", os.environ["COLOR"])
        if os.environ["COLOR"] == "red":
            raise RuntimeError("no such table")
        return {}
    return {"statusCode": 200, "headers": {}, "body": os.environ["COLOR"]}
"""


def bundle(world: World, color: str, release: dict[str, str] | None = COMMAND) -> Bundle:
    return world.make.bundle(code=MIGRATING, environment={"COLOR": color}, release=release)


def test_it_runs_as_the_new_version_while_the_old_one_serves(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    before = bundle(world, "white", release=None)
    first = world.deploy(before)
    seen = []
    run = world.deployer._rollout.release_command.run

    def watched(*arguments: object) -> None:
        seen.append((world.live(first.function), ask(first.url)))
        run(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(world.deployer._rollout.release_command, "run", watched)
    second = world.deploy(bundle(world, "green"), before.template_key)
    assert seen == [("1", "white")]
    assert (second.version, world.live(first.function), ask(second.url)) == ("2", "2", "green")
    assert any("migrated by green" in line for line in world.said)


def test_a_failing_one_stops_the_deployment_and_leaves_what_was_live(world: World) -> None:
    before = bundle(world, "white")
    first = world.deploy(before)
    with pytest.raises(AppError) as caught:
        world.deploy(bundle(world, "red"), before.template_key)
    assert caught.value.code is Code.RELEASE_FAILED
    assert "no such table" in caught.value.message
    assert ask(first.url) == "white"
    assert world.restored
    assert world.restored.template_key == before.template_key
    third = world.deploy(bundle(world, "green"), before.template_key)
    assert ask(third.url) == "green"


def test_at_the_first_deployment_it_runs_before_anybody_can_call(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    run = world.deployer._rollout.release_command.run

    def watched(*arguments: object) -> None:
        found = world.cloudformation.describe_stack_resources(StackName=world.app.stack)["StackResources"]
        seen.append({it["ResourceType"] for it in found} & {"AWS::Lambda::Alias", "AWS::ApiGateway::RestApi"})
        run(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(world.deployer._rollout.release_command, "run", watched)
    deployed = world.deploy(bundle(world, "green"))
    assert seen == [set()]
    assert (deployed.version, ask(deployed.url)) == ("1", "green")
    assert any("migrated by green" in line for line in world.said)


def test_a_worker_that_died_after_the_first_update_leaves_what_another_can_finish(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, next_one = bundle(world, "white", release=None), bundle(world, "green")
    first = world.deploy(before)

    def die(*_: object) -> None:
        raise ConnectionError

    with monkeypatch.context() as patched:
        patched.setattr(world.deployer._rollout.release_command, "run", die)
        with pytest.raises(ConnectionError):
            world.deploy(next_one, before.template_key)
    assert ask(first.url) == "white"
    assert ask(world.deploy(next_one, before.template_key).url) == "green"


def test_a_rollback_goes_without_it(world: World) -> None:
    before = bundle(world, "white")
    world.deploy(before)
    later = bundle(world, "green")
    world.deploy(later, before.template_key)
    stored = world.deployer.stored(world.app, before.template_key)
    assert stored
    assert stored.release_command == COMMAND
    world.deploy(replace(stored, release_command=None), later.template_key)
    assert not any("migrated" in line for line in world.said)

"""Log groups of apps on the embedded AWS: made, found, left, deleted."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from deployments import CRASH, World
from drafts import rest_template

from auto_lambda.aws.cloudformation import DeployResult, Plan, StackFailed
from auto_lambda.errors import AppError
from worker.bundle.log_groups import with_log_groups
from worker.deploy.context import DeployContext
from worker.deploy.log_groups import LogGroupParameters


def group_of(world: World) -> str:
    return f"/aws/lambda/{world.app.function}/Api"


def retention(world: World) -> int | None:
    """The retention of the function's group; -1 if there is no such group."""
    found = world.client("logs").describe_log_groups(logGroupNamePrefix=group_of(world))["logGroups"]
    return next((group.get("retentionInDays") for group in found if group["logGroupName"] == group_of(world)), -1)


def remove(world: World, key: str) -> None:
    world.deployer.remove(world.app, key, DeployContext(world.said.append))


def test_a_group_is_made_with_the_app_and_goes_with_it(world: World) -> None:
    bundle = world.make.bundle()
    world.deploy(bundle)
    assert retention(world) == 30
    remove(world, bundle.template_key)
    assert retention(world) == -1


def test_a_group_that_exists_is_left_as_it_is_for_good(world: World) -> None:
    world.client("logs").create_log_group(logGroupName=group_of(world))
    first, second = world.make.bundle(), world.make.bundle(rest_template(Timeout=9))
    world.deploy(first)
    assert any("exists already" in line for line in world.said)
    assert [it for it in world.warned if f"--log-group-name {group_of(world)} --retention-in-days 30" in it]
    world.warned.clear()
    world.deploy(second, first.template_key)
    assert any("keeps its events for ever" in it for it in world.warned)
    assert retention(world) is None
    remove(world, second.template_key)
    assert retention(world) is None, "it was there before the app"
    world.client("logs").delete_log_group(logGroupName=group_of(world))


@pytest.mark.parametrize(("retained", "log_days"), [(5, 30), (None, 0)])
def test_a_group_that_somebody_has_limited_or_wants_unlimited_is_no_worry(
    world: World, retained: int | None, log_days: int
) -> None:
    logs = world.client("logs")
    logs.create_log_group(logGroupName=group_of(world))
    if retained:
        logs.put_retention_policy(logGroupName=group_of(world), retentionInDays=retained)
    world.deploy(world.make.bundle(log_days=log_days))
    assert not [it for it in world.warned if "log group" in it]
    assert retention(world) == retained
    logs.delete_log_group(logGroupName=group_of(world))


def test_another_retention_is_another_deployment_of_the_same_version(world: World) -> None:
    first, second = world.make.bundle(), world.make.bundle(log_days=7)
    world.deploy(first)
    deployed = world.deploy(second, first.template_key)
    assert (retention(world), deployed.version) == (7, "1")


def test_a_release_that_is_taken_back_keeps_the_group(world: World) -> None:
    first = world.make.bundle()
    world.deploy(first)
    made = world.client("logs").describe_log_groups(logGroupNamePrefix=group_of(world))["logGroups"]
    try:
        world.deploy(world.make.bundle(code=CRASH), first.template_key)
    except AppError:
        assert world.restored
    assert (
        world.client("logs").describe_log_groups(logGroupNamePrefix=group_of(world))["logGroups"][0]["creationTime"]
        == made[0]["creationTime"]
    )


def refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "DescribeLogGroups")


@pytest.mark.parametrize(
    "fault", [refusal("ThrottlingException"), refusal("ServiceUnavailable"), ReadTimeoutError(endpoint_url="logs")]
)
def test_a_fault_that_passes_delays_the_deployment_instead_of_costing_the_retention(
    world: World, fault: Exception
) -> None:
    faults = [fault]

    def find(prefix: str) -> dict[str, int | None]:
        if faults:
            raise faults.pop()
        return {}

    world.deployer._stack._log_groups = LogGroupParameters(world.deployer._stacks, find)
    bundle = world.make.bundle()
    with pytest.raises(type(fault)):
        world.deploy(bundle)
    world.deploy(bundle)
    assert retention(world) == 30


def test_where_groups_cannot_be_listed_none_is_made_and_the_app_is_live(world: World) -> None:
    def denied(_: str) -> dict[str, int | None]:
        raise refusal("AccessDeniedException")

    said: list[str] = []
    template = with_log_groups(world.make.bundle().template, world.app, 30)
    chosen = LogGroupParameters(world.deployer._stacks, denied).choose(world.app, template, said.append)
    assert set(chosen.values()) == {"found"}
    assert said == ["log groups are left as they are, since they cannot be listed: AccessDeniedException"]


def test_a_group_that_lambda_makes_meanwhile_is_left_as_it_is(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    deploy, failures = world.deployer._stacks.deploy, ["ApiLogGroup"]

    def overtaken(plan: Plan, log: Any) -> DeployResult:
        if failures:
            world.client("logs").create_log_group(logGroupName=group_of(world))
            raise StackFailed(
                plan.stack, failures.pop(), f"Resource of type log group {group_of(world)} already exists"
            )
        return deploy(plan, log)

    monkeypatch.setattr(world.deployer._stacks, "deploy", overtaken)
    world.deploy(world.make.bundle())
    assert retention(world) is None
    assert any("exists already" in line for line in world.said)
    world.client("logs").delete_log_group(logGroupName=group_of(world))


def test_a_group_that_cannot_be_made_for_another_reason_fails_the_deployment(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(plan: Plan, log: Any) -> DeployResult:
        raise StackFailed(plan.stack, "ApiLogGroup", "no such key")

    monkeypatch.setattr(world.deployer._stacks, "deploy", failing)
    with pytest.raises(AppError, match="ApiLogGroup: no such key"):
        world.deploy(world.make.bundle())

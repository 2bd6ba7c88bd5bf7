"""Whole deployments of apps that flex, on the embedded AWS. Tasks have no process here: all of them are healthy."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import stable_tasks
from deployments import CRASH, IMPOSSIBLE, World
from drafts import DOMAIN_OF_PIPELINE, rest_template
from flex_parts import FLEX
from stable_tasks import telling_stable

from auto_lambda.aws.cloudformation import Stacks
from auto_lambda.aws.existence import Existing
from auto_lambda.errors import AppError, Code
from auto_lambda.keys import App
from auto_lambda_cli.local_stack.embedded import EmbeddedAws
from entrypoint.task import VARIABLE, parse
from worker.bundle.flex.parts import CONTROLLER
from worker.deploy.context import DeployContext
from worker.model import Bundle, PipelineDomain
from worker.ownership import stack_tags


@pytest.fixture(scope="module")
def domain(aws_client: Callable[[str], Any]) -> PipelineDomain:
    name = DOMAIN_OF_PIPELINE.name
    zone = aws_client("route53").create_hosted_zone(Name=name, CallerReference=uuid.uuid4().hex)["HostedZone"]["Id"]
    return PipelineDomain(name, DOMAIN_OF_PIPELINE.certificate_arn, zone.rpartition("/")[2])


@pytest.fixture(scope="module", autouse=True)
def healthy_tasks(aws_client: Callable[[str], Any]) -> Iterator[None]:
    with telling_stable(aws_client("ecs"), healthy=lambda definition: not HEALTHY or definition in HEALTHY):
        yield


HEALTHY: set[str] = set()
"""The task definitions that stay healthy; empty: all are."""


@pytest.fixture(scope="module", autouse=True)
def controller(aws_client: Callable[[str], Any]) -> Iterator[None]:
    """Its stack is there; who moves apps are the tests."""
    cloudformation = aws_client("cloudformation")
    template = json.dumps({"Resources": {"Hints": {"Type": "AWS::SNS::Topic"}}})
    cloudformation.create_stack(StackName=CONTROLLER.stack, TemplateBody=template)
    cloudformation.get_waiter("stack_create_complete").wait(StackName=CONTROLLER.stack, WaiterConfig={"Delay": 1})
    yield
    Stacks(cloudformation).delete(CONTROLLER.stack)


@pytest.fixture
def world(
    aws_client: Callable[[str], Any], embedded_aws: EmbeddedAws, tmp_path: Path, domain: PipelineDomain
) -> Iterator[World]:
    world = World(aws_client, embedded_aws.endpoint, tmp_path, App("dev", f"flex{uuid.uuid4().hex[:8]}"), domain)
    yield world
    for name in (world.app.flex_stack, world.app.stack):
        Stacks(world.cloudformation).delete(name)


def outputs(world: World) -> dict[str, str]:
    (stack,) = world.cloudformation.describe_stacks(StackName=world.app.flex_stack)["Stacks"]
    return {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}


def has_flex_stack(world: World) -> bool:
    return Stacks(world.cloudformation).describe(world.app.flex_stack) is not None


def phase(world: World) -> dict[str, str]:
    stack = Stacks(world.cloudformation).describe(world.app.flex_stack)
    assert stack
    return dict(stack.parameters)


def move(world: World, name: str, weight: int) -> None:
    """Do as the controller does."""
    stable_tasks.move(world.cloudformation, world.app.flex_stack, name, weight)
    assert phase(world) == {"Phase": name, "FargateWeight": str(weight), "Mode": "auto"}


def records(world: World, domain: PipelineDomain) -> dict[str, int]:
    found = world.client("route53").list_resource_record_sets(HostedZoneId=domain.zone_id)["ResourceRecordSets"]
    own = (one for one in found if one["Name"].startswith(f"{world.app.function}."))
    return {one["SetIdentifier"]: one["Weight"] for one in own}


def color(world: World) -> str:
    """What the tasks' definition in the flex stack says."""
    made = json.loads(json.dumps(world.cloudformation.get_template(StackName=world.app.flex_stack)["TemplateBody"]))
    template = json.loads(made) if isinstance(made, str) else made
    (container,) = template["Resources"]["TaskDefinition"]["Properties"]["ContainerDefinitions"]
    found = {one["Name"]: one["Value"] for one in container["Environment"]}
    assert parse(found[VARIABLE]).function_version
    return str(found["COLOR"])


def bundle(world: World, shade: str, **more: Any) -> Bundle:
    return world.make.bundle(environment={"COLOR": shade}, **{"framework": "zappa", "flex": FLEX, **more})


def test_a_first_drop_makes_both_stacks_and_stays_on_lambda(world: World, domain: PipelineDomain) -> None:
    deployment = world.deploy(bundle(world, "red"))
    assert deployment.url == f"https://{world.app.function}.apps.example.com/"
    assert phase(world) == {"Phase": "lambda", "FargateWeight": "0", "Mode": "auto"}
    assert records(world, domain) == {"lambda": 100}
    assert outputs(world)["Function"] == deployment.function
    assert color(world) == "red"
    name = f"{world.app.function}.apps.example.com"
    assert stack_tags(world.app, "auto-lambda").items() <= (Existing(world.client).domain(name) or {}).items()


def test_the_same_again_changes_nothing(world: World) -> None:
    made = bundle(world, "red")
    world.deploy(made)
    assert not world.deploy(made, made.template_key).changed
    assert f"{world.app.flex_stack} has it already" in world.said


def test_a_drop_leaves_the_phase_as_it_is_and_changes_the_tasks_first(world: World) -> None:
    first, second = bundle(world, "red"), bundle(world, "blue")
    world.deploy(first)
    move(world, "both", 100)
    order: list[str] = []

    @contextmanager
    def effect(step: str) -> Iterator[None]:
        order.append(step)
        yield

    world.deployer.deploy(
        second, world.make.access, first.template_key, DeployContext(world.said.append, effect=effect)
    )
    assert order.index("tasks") < order.index("expand") < order.index("switch") < order.index("flex")
    assert phase(world) == {"Phase": "both", "FargateWeight": "100", "Mode": "auto"}
    assert color(world) == "blue"


def test_the_tasks_go_back_if_the_function_cannot_follow(world: World) -> None:
    first = bundle(world, "red")
    world.deploy(first)
    move(world, "both", 50)
    template = rest_template()
    template["Resources"]["Queue"] = IMPOSSIBLE
    with pytest.raises(AppError) as caught:
        world.deploy(bundle(world, "blue", template=template), first.template_key)
    assert caught.value.code is Code.STACK_FAILED
    assert color(world) == "red"
    assert phase(world)["FargateWeight"] == "50"


def test_an_unhealthy_release_takes_tasks_and_function_back(world: World) -> None:
    first = bundle(world, "red")
    world.deploy(first)
    move(world, "both", 100)
    with pytest.raises(AppError) as caught:
        world.deploy(bundle(world, "blue", code=CRASH), first.template_key)
    assert caught.value.code is Code.UNHEALTHY
    assert color(world) == "red"
    assert world.restored
    assert world.restored.template_key == first.template_key


def test_tasks_that_do_not_become_healthy_leave_the_function_as_it_is(world: World) -> None:
    first = bundle(world, "red")
    deployed = world.deploy(first)
    move(world, "both", 100)
    (running,) = world.client("ecs").describe_services(cluster=world.app.flex_stack, services=[world.app.flex_stack])[
        "services"
    ]
    HEALTHY.add(running["taskDefinition"].rpartition("/")[2])
    try:
        with pytest.raises(AppError) as caught:
            world.deploy(bundle(world, "blue"), first.template_key)
    finally:
        HEALTHY.clear()
    assert caught.value.code is Code.STACK_FAILED
    assert "do not stay up and healthy" in caught.value.message
    assert world.live(deployed.function) == deployed.version
    assert color(world) == "red"
    assert phase(world)["FargateWeight"] == "100"


def test_a_first_flexing_release_that_fails_leaves_no_flex_stack(world: World, domain: PipelineDomain) -> None:
    first = bundle(world, "red", flex=None)
    world.deploy(first)
    assert records(world, domain) == {"app": 100}
    with pytest.raises(AppError):
        world.deploy(bundle(world, "blue", code=CRASH), first.template_key)
    assert not has_flex_stack(world)
    assert records(world, domain) == {"app": 100}


def test_an_app_that_begins_to_flex_always_has_a_record(world: World, domain: PipelineDomain) -> None:
    """Between two records of one name, neither may be missing: resolvers remember that a name is not there."""
    first = bundle(world, "red", flex=None)
    world.deploy(first)
    seen: list[dict[str, int]] = []

    @contextmanager
    def effect(step: str) -> Iterator[None]:
        yield
        seen.append(records(world, domain))

    context = DeployContext(world.said.append, effect=effect)
    second = bundle(world, "red")
    world.deployer.deploy(second, world.make.access, first.template_key, context)
    world.deployer.deploy(first, world.make.access, second.template_key, context)
    assert all(seen)
    assert {"lambda": 100} in seen
    assert records(world, domain) == {"app": 100}
    assert not has_flex_stack(world)


def test_an_app_on_fargate_does_not_leave_it_without_its_traffic(world: World) -> None:
    first = bundle(world, "red")
    world.deploy(first)
    move(world, "both", 100)
    with pytest.raises(AppError) as caught:
        world.deploy(bundle(world, "red", flex=None), first.template_key)
    assert caught.value.code is Code.CANNOT_FLEX
    assert "auto-lambda flex down" in caught.value.hint
    assert has_flex_stack(world)


def test_an_app_that_is_removed_takes_both_stacks_with_it(world: World, domain: PipelineDomain) -> None:
    made = bundle(world, "red")
    world.deploy(made)
    move(world, "both", 100)
    order: list[str] = []

    @contextmanager
    def effect(step: str) -> Iterator[None]:
        yield
        order.append(f"{step}, records: {sorted(records(world, domain))}")

    world.deployer.remove(world.app, made.template_key, DeployContext(world.said.append, effect=effect))
    assert order == ["events, records: ['fargate', 'lambda']", "flex, records: []", "stack, records: []"]
    assert not has_flex_stack(world)
    assert Stacks(world.cloudformation).describe(world.app.stack) is None
    assert records(world, domain) == {}


def test_a_first_release_that_failed_and_stays_is_removed_with_both_stacks(
    world: World, domain: PipelineDomain
) -> None:
    world.deploy(bundle(world, "red"))
    world.deployer.remove(world.app, None, DeployContext(world.said.append))
    assert not has_flex_stack(world)
    assert records(world, domain) == {}


def test_a_flex_stack_of_somebody_else_is_left_alone(world: World) -> None:
    world.cloudformation.create_stack(
        StackName=world.app.flex_stack,
        TemplateBody=json.dumps({"Resources": {"T": {"Type": "AWS::SNS::Topic"}}}),
    )
    world.wait(world.app.flex_stack)
    with pytest.raises(AppError) as caught:
        world.deploy(bundle(world, "red"))
    assert caught.value.code is Code.STACK_NOT_OURS
    world.deployer.remove(world.app, None, DeployContext(world.said.append))
    assert has_flex_stack(world)


def test_without_a_controller_nothing_is_changed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.deploy.flex.stack.CONTROLLER", App("platform", "not-installed"))
    with pytest.raises(AppError) as caught:
        world.deploy(bundle(world, "red"))
    assert caught.value.code is Code.CANNOT_FLEX
    assert "flex controller" in caught.value.message
    assert Stacks(world.cloudformation).describe(world.app.stack) is None


class Killed(BaseException):
    """The worker dies."""


@pytest.mark.parametrize(
    ("step", "when"),
    [
        *((step, "before") for step in ("tasks", "expand", "publish", "verify", "switch", "front", "flex", "routes")),
        *((step, "after") for step in ("tasks", "expand", "publish", "verify", "switch", "front")),
    ],
)
def test_a_worker_that_dies_anywhere_leaves_what_the_next_one_finishes(world: World, step: str, when: str) -> None:
    first, second = bundle(world, "red"), bundle(world, "blue")
    world.deploy(first)
    move(world, "both", 100)

    @contextmanager
    def effect(name: str) -> Iterator[None]:
        if (name, when) == (step, "before"):
            raise Killed
        yield
        if name == step:
            raise Killed

    context = DeployContext(world.said.append, effect=effect)
    with pytest.raises(Killed):
        world.deployer.deploy(second, world.make.access, first.template_key, context)
    world.deploy(second, first.template_key)
    assert color(world) == "blue"
    assert phase(world) == {"Phase": "both", "FargateWeight": "100", "Mode": "auto"}

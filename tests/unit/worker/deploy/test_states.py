"""A drop finds the app's stack in each state that the embedded AWS really has.

Those that it passes through too quickly, or never has (``*_IN_PROGRESS``, ``ROLLBACK_FAILED``), are played by a client
in tests/unit/auto_lambda/aws/test_cloudformation.py.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from deployments import IMPOSSIBLE, World, ask
from drafts import HELLO, resource, rest_template

from auto_lambda.errors import AppError, Code
from worker.deploy.context import DeployContext

NETWORK = json.dumps({"Resources": {"Net": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.9.0.0/16"}}}})


def ours(world: World) -> list[dict[str, str]]:
    return [{"Key": "auto-lambda:app", "Value": world.app.name}, {"Key": "auto-lambda:stage", "Value": world.app.stage}]


def status(world: World) -> str:
    return str(world.cloudformation.describe_stacks(StackName=world.app.stack)["Stacks"][0]["StackStatus"])


def impossible(**properties: Any) -> dict[str, Any]:
    """A template that fails after its function was brought about, and in the first of two updates."""
    template = rest_template(**properties)
    template["Resources"]["Queue"] = {**IMPOSSIBLE, "DependsOn": "Api"}
    return template


def test_no_stack_is_created(world: World) -> None:
    assert world.deploy(world.make.bundle()).version == "1"
    assert status(world) == "UPDATE_COMPLETE", "what leads to it came second"


def test_no_updates_are_to_be_performed(world: World) -> None:
    world.deploy(world.make.bundle())
    assert not world.deploy(world.make.bundle()).changed
    assert f"{world.app.stack} has it already" in world.said


def test_review_in_progress_is_created(world: World) -> None:
    world.cloudformation.create_change_set(
        StackName=world.app.stack, ChangeSetName="left", ChangeSetType="CREATE", TemplateBody=NETWORK
    )
    assert status(world) == "REVIEW_IN_PROGRESS"
    assert ask(world.deploy(world.make.bundle()).url).startswith("white")


def test_rollback_complete_of_a_first_create_is_deleted_and_created(world: World) -> None:
    with pytest.raises(AppError, match="Queue: ") as caught:
        world.deploy(world.make.bundle(impossible()))
    assert "Nothing was live before" in caught.value.hint
    assert status(world) == "ROLLBACK_COMPLETE"
    assert world.deploy(world.make.bundle()).version == "1"
    assert f"{world.app.stack}: ROLLBACK_COMPLETE, deleting it to create it again" in world.said


def test_create_failed_is_deleted_and_created(world: World) -> None:
    body = json.dumps({"Resources": {"Queue": IMPOSSIBLE}})
    world.cloudformation.create_stack(
        StackName=world.app.stack, TemplateBody=body, OnFailure="DO_NOTHING", Tags=ours(world)
    )
    world.wait(world.app.stack)
    assert status(world) == "CREATE_FAILED"
    assert ask(world.deploy(world.make.bundle()).url).startswith("white")


def test_update_rollback_complete_left_the_old_version_serving_and_is_updated(world: World) -> None:
    before = world.make.bundle()
    first = world.deploy(before)
    with pytest.raises(AppError, match="Queue: ") as caught:
        world.deploy(world.make.bundle(impossible(Timeout=9)), before.template_key)
    assert "What was live before still is" in caught.value.hint
    assert status(world) == "UPDATE_ROLLBACK_COMPLETE"
    assert ask(first.url).startswith("white")
    assert world.live(first.function) == "1"
    after = world.deploy(world.make.bundle(rest_template(Timeout=9)), before.template_key)
    assert world.live(after.function) == after.version != "1"


def test_update_rollback_failed_is_continued_and_nothing_is_skipped(world: World) -> None:
    before = world.make.bundle()
    first = world.deploy(before)
    code = before.template["Resources"]["Api"]["Properties"]["Code"]["S3Key"]
    kept = world.s3.get_object(Bucket="artifacts", Key=code)["Body"].read()
    world.s3.delete_object(Bucket="artifacts", Key=code)  # so that the function cannot get its old code back
    new_code = HELLO.replace('"white"', '"black"')
    with pytest.raises(AppError, match="Queue: ") as failed:
        world.deploy(world.make.bundle(impossible(), new_code), before.template_key)
    assert status(world) == "UPDATE_ROLLBACK_FAILED"
    assert "the rollback is continued first" in failed.value.hint

    with pytest.raises(AppError, match="Api: ") as stuck:
        world.deploy(world.make.bundle(code=new_code), before.template_key)
    assert "--resources-to-skip Api" in stuck.value.hint
    assert status(world) == "UPDATE_ROLLBACK_FAILED"
    assert ask(first.url).startswith("white"), "the old version serves all the while"

    world.s3.put_object(Bucket="artifacts", Key=code, Body=kept)
    assert ask(world.deploy(world.make.bundle(code=new_code), before.template_key).url).startswith("black")
    assert f"{world.app.stack}: UPDATE_ROLLBACK_FAILED, continuing the rollback" in world.said


def test_delete_failed_names_the_resource_and_is_tried_again(world: World) -> None:
    world.cloudformation.create_stack(StackName=world.app.stack, TemplateBody=NETWORK, Tags=ours(world))
    world.wait(world.app.stack)
    ec2 = world.client("ec2")
    vpc = world.cloudformation.describe_stack_resource(StackName=world.app.stack, LogicalResourceId="Net")
    vpc_id = vpc["StackResourceDetail"]["PhysicalResourceId"]
    subnet = ec2.create_subnet(VpcId=vpc_id, CidrBlock="10.9.0.0/24")["Subnet"]["SubnetId"]
    world.cloudformation.delete_stack(StackName=world.app.stack)
    world.wait(world.app.stack)
    assert status(world) == "DELETE_FAILED"
    with pytest.raises(AppError, match="Net: ") as caught:
        world.deploy(world.make.bundle())
    assert caught.value.hint.startswith("Remove whatever holds Net in AWS")
    ec2.delete_subnet(SubnetId=subnet)
    assert ask(world.deploy(world.make.bundle()).url).startswith("white")


def test_a_stack_of_someone_else_is_refused_in_every_state(world: World) -> None:
    world.cloudformation.create_stack(
        StackName=world.app.stack, TemplateBody=json.dumps({"Resources": {"Queue": IMPOSSIBLE}})
    )
    world.wait(world.app.stack)
    assert status(world) == "ROLLBACK_COMPLETE"
    with pytest.raises(AppError, match="was not made by this pipeline") as caught:
        world.deploy(world.make.bundle())
    assert caught.value.code is Code.STACK_NOT_OURS
    assert "another name" in caught.value.hint
    assert status(world) == "ROLLBACK_COMPLETE", "it is left alone"


def test_a_deleted_zip_takes_its_app_out_of_aws(world: World) -> None:
    bundle = world.make.bundle()
    function = world.deploy(bundle).function
    world.deployer.remove(world.app, bundle.template_key, DeployContext(world.said.append))
    with pytest.raises(world.lambda_.exceptions.ResourceNotFoundException):
        world.lambda_.get_function(FunctionName=function)
    world.deployer.remove(world.app, bundle.template_key, DeployContext(world.said.append))
    assert ask(world.deploy(world.make.bundle()).url).startswith("white"), "and a new drop brings it back"


def test_a_stack_of_someone_else_is_not_taken_out_of_aws(world: World) -> None:
    world.cloudformation.create_stack(StackName=world.app.stack, TemplateBody=NETWORK)
    world.wait(world.app.stack)
    with pytest.raises(AppError, match="was not made by this pipeline"):
        world.deployer.remove(world.app, None, DeployContext(world.said.append))
    assert status(world) == "CREATE_COMPLETE"


# ---------------------------------------------------------------- drifted: after a drop, what is live is what it says


def test_drifted_settings_are_set_back_before_they_are_published(world: World) -> None:
    before = world.make.bundle()
    first = world.deploy(before)
    world.lambda_.update_function_configuration(
        FunctionName=first.function, Timeout=77, MemorySize=512, Environment={"Variables": {"COLOR": "spoiled"}}
    )
    second = world.deploy(world.make.bundle(code=HELLO + "#"), before.template_key)
    found = world.lambda_.get_function_configuration(FunctionName=second.function, Qualifier="live")
    assert (found["Timeout"], found["MemorySize"]) == (3, 128)
    assert ask(second.url).startswith("white")
    assert "Environment, MemorySize, Timeout of Api is not the released one; it is replaced" in world.said


def test_drifted_settings_are_set_back_by_the_same_drop(world: World) -> None:
    first = world.deploy(world.make.bundle())
    world.lambda_.update_function_configuration(FunctionName=first.function, Timeout=77)
    assert not world.deploy(world.make.bundle()).changed
    assert world.lambda_.get_function_configuration(FunctionName=first.function)["Timeout"] == 3


def test_an_alias_that_was_moved_by_hand_is_moved_back(world: World) -> None:
    first, other = world.make.bundle(), world.make.bundle(environment={"COLOR": "green"})
    function = world.deploy(first).function
    second = world.deploy(other, first.template_key)
    world.lambda_.update_alias(FunctionName=function, Name="live", FunctionVersion="1")
    assert ask(second.url).startswith("white")
    again = world.deploy(other, other.template_key)
    assert (world.live(function), again.changed) == ("2", False)
    assert ask(second.url).startswith("green")
    assert "the alias live of Api is at version 1, which is not live; it is moved to 2" in world.said


def test_an_alias_that_shares_its_calls_gets_all_of_them_again_and_the_log_says_just_that(world: World) -> None:
    first = world.make.bundle()
    function = world.deploy(first).function
    other = world.lambda_.publish_version(FunctionName=function)["Version"]
    weights = {"AdditionalVersionWeights": {other: 0.3}}
    world.lambda_.update_alias(FunctionName=function, Name="live", FunctionVersion="1", RoutingConfig=weights)
    world.deploy(first, first.template_key)
    assert "Api: version 1 takes all the traffic again" in world.said
    assert "which is not live" not in world.said


@pytest.mark.parametrize("what", ["function", "alias"])
def test_what_was_deleted_by_hand_is_created_anew(world: World, what: str) -> None:
    bundle = world.make.bundle()
    function = world.deploy(bundle).function
    if what == "function":
        world.lambda_.delete_function(FunctionName=function)
    else:
        world.lambda_.delete_alias(FunctionName=function, Name="live")
    again = world.deploy(bundle, bundle.template_key)
    assert ask(again.url).startswith("white")
    assert world.live(again.function) == again.version
    assert any("was deleted by hand" in line for line in world.said)


def test_an_untouched_stack_has_no_drift(world: World) -> None:
    """Two functions, a layer and every setting that a template may name: what AWS makes of them is no change."""
    template = rest_template(
        Timeout=7, EphemeralStorage={"Size": 1024}, TracingConfig={"Mode": "Active"},
        Environment={"Variables": {"COLOR": "blue"}},
    )  # fmt: skip
    template["Resources"]["Work"] = resource(
        "Lambda::Function", Handler="app.handler", MemorySize=256, Role={"Fn::GetAtt": ["Role", "Arn"]}
    )
    bundle = world.make.bundle(template, layer={"dep.py": "x = 1"})
    world.deploy(bundle)
    world.deploy(world.make.bundle(template, HELLO + "#", layer={"dep.py": "x = 2"}), bundle.template_key)
    assert not any("by hand" in line for line in world.said)

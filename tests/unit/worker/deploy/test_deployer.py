"""Whole deployments on the embedded AWS, of drafts written by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from deployments import CRASH, IMPOSSIBLE, World, ask
from drafts import ACCOUNT, HELLO, function, resource, rest_template, role

from auto_lambda.aws.cloudformation import StackFailed, Stacks
from auto_lambda.aws.s3 import ObjectStore
from auto_lambda.errors import AppError, Code
from auto_lambda.keys import App
from builder.protocol.messages import NotificationMessage
from worker.deploy.context import DeployContext


def test_first_drop_is_live_and_answers_at_its_url(world: World) -> None:
    deployment = world.deploy(world.make.bundle())
    assert deployment.changed
    assert (deployment.stack, deployment.version, deployment.alias) == (world.app.stack, "1", "live")
    assert ask(deployment.url).startswith("white ")
    assert any(line.startswith("GET http") and line.endswith(": 200") for line in world.said)


def test_same_again_changes_nothing(world: World) -> None:
    bundle = world.make.bundle()
    first = world.deploy(bundle)
    again = world.deploy(world.make.bundle(), bundle.template_key)
    assert again == replace(first, changed=False)
    assert world.versions(first.function) == ["1"]


@pytest.mark.parametrize(
    ("change", "answer"),
    [
        pytest.param({"code": HELLO.replace('"white"', '"black"')}, "black", id="code"),
        pytest.param({"environment": {"COLOR": "green"}}, "green", id="environment"),
        pytest.param({"template": rest_template(Timeout=7)}, "white", id="setting"),
        pytest.param({"layer": {"dep.py": "x = 2"}}, "white", id="layer"),
    ],
)
def test_a_change_publishes(world: World, change: dict[str, Any], answer: str) -> None:
    before = world.make.bundle(layer={"dep.py": "x = 1"})
    first = world.deploy(before)
    old_answer = ask(first.url)
    second = world.deploy(world.make.bundle(**{"layer": {"dep.py": "x = 1"}, **change}), before.template_key)
    assert (second.version, second.changed) == ("2", True)
    assert second.url == first.url
    assert world.live(second.function) == "2"
    assert world.versions(second.function) == ["1", "2"], "the old version stays"
    assert ask(second.url) != old_answer
    assert ask(second.url).startswith(answer)


def test_back_to_an_earlier_content(world: World) -> None:
    first, other = world.make.bundle(), world.make.bundle(environment={"COLOR": "green"})
    world.deploy(first)
    world.deploy(other, first.template_key)
    back = world.deploy(first, other.template_key)
    assert back.version == "1", "it is still there, and nothing that it refers to has changed"
    assert world.versions(back.function) == ["1", "2"]
    assert ask(back.url).startswith("white")


def test_a_failing_resource_leaves_the_old_version_live(world: World) -> None:
    before = world.make.bundle()
    first = world.deploy(before)
    template = rest_template(Timeout=9)
    template["Resources"]["Queue"] = IMPOSSIBLE
    with pytest.raises(AppError) as caught:
        world.deploy(world.make.bundle(template), before.template_key)
    assert caught.value.code is Code.STACK_FAILED
    assert "Queue: " in caught.value.message
    assert world.live(first.function) == "1"
    assert ask(first.url).startswith("white")
    assert world.deploy(world.make.bundle(rest_template(Timeout=9)), before.template_key).changed


def test_a_failed_creation_is_created_anew(world: World) -> None:
    template = rest_template()
    template["Resources"]["Queue"] = IMPOSSIBLE
    with pytest.raises(AppError, match="Queue: "):
        world.deploy(world.make.bundle(template))
    assert world.deploy(world.make.bundle()).version == "1"


def test_an_unhealthy_update_goes_back(world: World) -> None:
    before = world.make.bundle()
    first = world.deploy(before)
    with pytest.raises(AppError) as caught:
        world.deploy(world.make.bundle(code=CRASH), before.template_key)
    assert caught.value.code is Code.UNHEALTHY
    assert "was answered 502" in caught.value.message
    assert ask(first.url).startswith("white")
    assert any("Rolling back" in line for line in world.said)
    assert world.restored
    assert (world.restored.version, world.restored.template_key) == (world.live(first.function), before.template_key)


def test_what_is_known_to_be_unhealthy_is_taken_back_and_not_tried_again(world: World) -> None:
    before, broken = world.make.bundle(), world.make.bundle(code=CRASH)
    first = world.deploy(before)
    with pytest.raises(AppError) as found:
        world.deploy(broken, None)  # as if its worker had died before it could go back
    world.said.clear()
    with pytest.raises(AppError) as caught:
        world.deploy(broken, before.template_key, known_failure=found.value)
    assert (caught.value.code, caught.value.message) == (found.value.code, found.value.message)
    assert world.restored
    assert ask(first.url).startswith("white")
    assert not [line for line in world.said if line.startswith("GET ")]


def test_what_is_known_to_be_unhealthy_shows_its_rights_too(world: World) -> None:
    before, broken = world.make.bundle(), world.make.bundle(code=CRASH)
    world.deploy(before)
    with pytest.raises(AppError) as found:
        world.deploy(broken, before.template_key)
    shown = world.reviews[-1]
    with pytest.raises(AppError):
        world.deploy(broken, before.template_key, known_failure=found.value)
    assert len(world.reviews) == 3
    assert world.reviews[-1] == shown


def test_what_a_failing_function_logged_is_told_beyond_the_4_kb_that_lambda_returns(world: World) -> None:
    lines = "".join(f"    print('line {number}', 'x' * 100)\n" for number in range(99))
    before, at_last = CRASH.split("\n", 2)[1:]
    with pytest.raises(AppError) as caught:
        world.deploy(world.make.bundle(code=f"import os\n{before}\n{lines}{at_last}"))
    told = caught.value.function_log.splitlines()
    assert told[0].startswith("line 0 ")
    assert "RuntimeError: out of ideas" in caught.value.function_log


def test_an_unhealthy_first_deploy_stays_and_says_so(world: World) -> None:
    with pytest.raises(AppError, match="was answered 502"):
        world.deploy(world.make.bundle(code=CRASH))
    assert "There is no earlier release to roll back to; this one stays deployed." in world.said[-1]


def test_what_stays_of_an_unhealthy_first_deploy_is_known(world: World) -> None:
    assert world.deployer.standing(world.app) is None
    with pytest.raises(AppError) as caught:
        world.deploy(world.make.bundle(code=CRASH))
    standing = world.deployer.standing(world.app)
    assert standing
    assert (standing.version, standing.url) == ("$LATEST", None), "nothing leads to it"
    with pytest.raises(world.lambda_.exceptions.ResourceNotFoundException):
        world.live(standing.function)
    assert "RuntimeError: out of ideas" in caught.value.function_log
    assert "function_log" in caught.value.hint


def test_a_stack_of_someone_else_is_refused(world: World) -> None:
    body = json.dumps({"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}})
    world.cloudformation.create_stack(StackName=world.app.stack, TemplateBody=body)
    with pytest.raises(AppError, match="was not made by this pipeline") as caught:
        world.deploy(world.make.bundle())
    assert caught.value.code is Code.STACK_NOT_OURS


def test_a_stack_of_another_pipeline_is_refused_and_left_alone(world: World) -> None:
    body = json.dumps({"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}})
    tags = {"auto-lambda:app": world.app.name, "auto-lambda:stage": "dev", "auto-lambda:pipeline": "staging"}
    world.cloudformation.create_stack(
        StackName=world.app.stack, TemplateBody=body, Tags=[{"Key": key, "Value": it} for key, it in tags.items()]
    )
    for attempt in (
        lambda: world.deploy(world.make.bundle()),
        lambda: world.deployer.remove(world.app, None, DeployContext(world.said.append)),
    ):
        with pytest.raises(AppError, match="belongs to the pipeline staging") as caught:
            attempt()
        assert caught.value.code is Code.STACK_NOT_OURS
    left = world.cloudformation.describe_stack_resources(StackName=world.app.stack)["StackResources"]
    assert [it["LogicalResourceId"] for it in left] == ["Queue"]


def test_a_stack_of_an_earlier_version_gets_the_pipelines_name(world: World) -> None:
    before = world.deploy(world.make.bundle())
    unnamed = {"auto-lambda:app": world.app.name, "auto-lambda:stage": "dev"}
    world.cloudformation.update_stack(
        StackName=world.app.stack, UsePreviousTemplate=True, Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"],
        Parameters=[{"ParameterKey": "AutoLambdaVersionApi", "UsePreviousValue": True}],
        Tags=[{"Key": key, "Value": it} for key, it in unnamed.items()],
    )  # fmt: skip
    world.wait(world.app.stack)
    assert stack_tags(world) == unnamed
    world.deploy(world.make.bundle(code=HELLO.replace('"white"', '"black"')), before.template_key)
    assert stack_tags(world) == {**unnamed, "auto-lambda:pipeline": "auto-lambda"}


def stack_tags(world: World) -> dict[str, str]:
    (stack,) = world.cloudformation.describe_stacks(StackName=world.app.stack)["Stacks"]
    return {it["Key"]: it["Value"] for it in stack["Tags"]}


def test_two_apps_that_share_a_stack_name(world: World) -> None:
    world.deploy(world.make.bundle())
    name, _, rest = world.app.name.partition("-")
    twin = App(f"{rest}-{world.app.stage}", name)
    assert twin.stack == world.app.stack
    with pytest.raises(AppError, match=f"belongs to {world.app}"):
        world.deploy(replace(world.make.bundle(), app=twin))


def test_code_put_in_by_hand_is_never_published(world: World) -> None:
    before = world.make.bundle()
    first = world.deploy(before)
    by_hand = world.make.bundle(code=CRASH)
    code = next(item for item in by_hand.artifacts if item.path.name == "code.zip")
    world.lambda_.update_function_code(FunctionName=first.function, ZipFile=code.path.read_bytes())
    second = world.deploy(world.make.bundle(environment={"COLOR": "red"}), before.template_key)
    assert ask(second.url).startswith("red")
    assert any("is not the released one" in line for line in world.said)


def test_a_stored_release_is_deployed_by_its_key_alone(world: World) -> None:
    bundle = world.make.bundle(layer={"dep.py": "y = 1"})
    first = world.deploy(bundle)
    world.deploy(world.make.bundle(), bundle.template_key)
    stored = world.deployer.stored(world.app, bundle.template_key)
    assert stored == replace(bundle, artifacts=())
    again = world.deploy(stored)
    assert (again.template_key, again.function, again.changed) == (first.template_key, first.function, True)
    assert world.deployer.stored(world.app, "bundles/nowhere.template.json") is None


def test_artifacts_are_stored_once(world: World) -> None:
    bundle = world.make.bundle(layer={"dep.py": "y = 1"})
    world.deploy(bundle)
    stored = {item["Key"] for item in world.s3.list_objects_v2(Bucket="artifacts")["Contents"]}
    assert {item.key for item in bundle.artifacts} <= stored
    world.deploy(bundle, bundle.template_key)
    assert sum(line.endswith("is stored already") for line in world.said) == 3


def events_template(trigger: dict[str, Any] | None = None) -> dict[str, Any]:
    resources = {"Work": function(), "Role": role(), **({"Trigger": trigger} if trigger else {})}
    return {"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources}


QUEUE = f"arn:aws:sqs:us-east-1:{ACCOUNT}:nobodys"
MAPPING = resource("Lambda::EventSourceMapping", FunctionName={"Ref": "Work"}, EventSourceArn=QUEUE)


def test_a_queue_handler_is_started_without_records(world: World) -> None:
    world.deploy(world.make.bundle(events_template(MAPPING), url=False, main="Work"))
    assert "Work starts" in world.said


def test_a_queue_handler_that_does_not_import_is_unhealthy(world: World) -> None:
    with pytest.raises(AppError, match=r"Work does not start: .*nowhere") as caught:
        world.deploy(world.make.bundle(events_template(MAPPING), "import nowhere", url=False, main="Work"))
    assert caught.value.code is Code.UNHEALTHY


def test_a_handler_that_wants_a_first_record_has_started(world: World) -> None:
    code = "def handler(event, context):\n    return event['Records'][0]\n"
    world.deploy(world.make.bundle(events_template(MAPPING), code, url=False, main="Work"))
    assert "Work starts" in world.said


def test_a_pure_function_is_not_called(world: World) -> None:
    world.deploy(world.make.bundle(events_template(), "raise SystemExit", url=False, main="Work"))
    assert "Work is ready (not called: calling it would do its work)" in world.said


def test_bucket_events_are_hung_beside_others_and_taken_out(world: World) -> None:
    world.s3.create_bucket(Bucket="pictures")
    world.sqs.create_queue(QueueName="nobodys")
    queue = {"Id": "theirs", "QueueArn": QUEUE, "Events": ["s3:ObjectRemoved:*"]}
    world.s3.put_bucket_notification_configuration(
        Bucket="pictures", NotificationConfiguration={"QueueConfigurations": [queue]}
    )
    subscription = NotificationMessage(bucket="pictures", function="Work", events=["s3:ObjectCreated:*"], suffix=".png")
    bundle = world.make.bundle(events_template(), url=False, main="Work", notifications=(subscription,))
    deployment = world.deploy(bundle)
    found = ObjectStore(world.s3).notifications("pictures")
    assert found["QueueConfigurations"][0]["Id"] == "theirs"
    (entry,) = found["LambdaFunctionConfigurations"]
    assert entry["LambdaFunctionArn"].endswith(f":function:{deployment.function}:live")
    assert "Work starts" in world.said
    world.deploy(world.make.bundle(events_template(MAPPING), url=False, main="Work"), bundle.template_key)
    found = ObjectStore(world.s3).notifications("pictures")
    assert not found.get("LambdaFunctionConfigurations")
    assert found["QueueConfigurations"][0]["Id"] == "theirs"


def test_no_such_bucket(world: World) -> None:
    subscription = NotificationMessage(bucket="no-such-bucket", function="Work", events=["s3:ObjectCreated:*"])
    with pytest.raises(AppError, match="NoSuchBucket") as caught:
        world.deploy(world.make.bundle(events_template(), url=False, main="Work", notifications=(subscription,)))
    assert caught.value.code is Code.BUCKET_NOTIFICATION_FAILED


def test_a_failure_of_ours_is_no_app_error(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def throttled(*_: object) -> None:
        raise StackFailed("al-x-dev", "Role", "Rate exceeded (Service: Iam, Status Code: 429, Request ID: 1)")

    monkeypatch.setattr(Stacks, "deploy", throttled)
    with pytest.raises(StackFailed, match="Rate exceeded"):
        world.deploy(world.make.bundle())


def test_an_app_that_speaks_of_failures_of_ours_is_an_app_error(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise StackFailed("al-x-dev", "Queue", "Invalid value: rate exceeded, throttling, internal failure")

    monkeypatch.setattr(Stacks, "deploy", refused)
    with pytest.raises(AppError, match="rate exceeded") as caught:
        world.deploy(world.make.bundle())
    assert caught.value.code is Code.STACK_FAILED


def test_a_bucket_that_cannot_be_is_refused_before_anything_is_deployed(world: World) -> None:
    subscription = NotificationMessage(bucket="My Bucket!", function="Work", events=["s3:ObjectCreated:*"])
    bundle = world.make.bundle(events_template(), url=False, main="Work", notifications=(subscription,))
    with pytest.raises(AppError, match="My Bucket!") as caught:
        world.deploy(bundle)
    assert caught.value.code is Code.BUCKET_NOTIFICATION_FAILED
    assert Stacks(world.cloudformation).describe(bundle.app.stack) is None


def test_no_version_of_the_layer_outlives_the_app(world: World) -> None:
    first, second = (world.make.bundle(layer={"dep.py": f"x = {number}"}) for number in (1, 2))
    world.deploy(first)
    world.deploy(second, first.template_key)
    for _ in range(2):
        world.deployer.remove(world.app, second.template_key, DeployContext(world.said.append))
        assert world.lambda_.list_layer_versions(LayerName=world.app.stack)["LayerVersions"] == []
    assert world.said.count(f"2 versions of the layer {world.app.stack} deleted") == 1

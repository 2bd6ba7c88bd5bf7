"""A stack of the days when the template published versions itself is upgraded by whatever comes first."""

from __future__ import annotations

import copy

import pytest
from deployments import CRASH, World, ask

from auto_lambda.aws.s3 import ObjectStore
from auto_lambda.errors import AppError, Code
from auto_lambda.model import Template
from worker.bundle.publish import serialize, template_key
from worker.deploy.artifacts import store_artifacts

VERSION = "ApiVersion0123456789ab"


def earlier(template: Template) -> Template:
    """The same release, as it was written then: the alias refers to a version that is a resource."""
    made, number = copy.deepcopy(template), {"Fn::GetAtt": [VERSION, "Version"]}
    made["Resources"][VERSION] = {
        "Type": "AWS::Lambda::Version",
        "DeletionPolicy": "RetainExceptOnCreate",
        "UpdateReplacePolicy": "Retain",
        "Properties": {"FunctionName": {"Ref": "Api"}},
    }
    made["Resources"]["ApiLive"]["Properties"]["FunctionVersion"] = number
    made["Outputs"]["AutoLambdaVersion"]["Value"] = number
    del made["Parameters"]["AutoLambdaVersionApi"]
    return made


def test_a_failed_drop_a_drop_and_a_rollback_upgrade_it(world: World) -> None:
    bundle = world.make.bundle()
    template = earlier(bundle.template)
    store_artifacts(ObjectStore(world.s3), "artifacts", bundle.artifacts, world.said.append)
    stack = world.deployer._stack.update(world.app, template, {}, world.said.append).stack
    key, function = template_key(serialize(template)), stack.outputs["AutoLambdaFunction"]
    with pytest.raises(AppError) as caught:
        world.deploy(world.make.bundle(code=CRASH), key)
    assert caught.value.code is Code.UNHEALTHY
    assert world.restored
    url = world.restored.url
    assert (world.live(function), ask(url)[:5]) == ("1", "white")

    later = world.make.bundle(environment={"COLOR": "green"})
    second = world.deploy(later, key)
    assert (second.url, ask(url)[:5], world.live(function)) == (url, "green", second.version)

    stored = world.deployer.stored(world.app, key)
    assert stored
    back = world.deploy(stored, later.template_key)
    assert (back.version, world.live(function), ask(url)[:5]) == ("1", "1", "white")
    assert "1" in world.versions(function), "it outlives its resource"

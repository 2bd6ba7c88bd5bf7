"""Rights are judged before anything changes; what waits for an approval is stored and nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from deployments import World
from drafts import rest_template

from auto_lambda.errors import AppError, Code
from auto_lambda.grants import Grants
from auto_lambda.model import Template
from worker.deploy.gate.access import AppAccess

READ = {"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": "arn:aws:s3:::pictures/*"}


def asking_for(*statements: Any) -> Template:
    template = rest_template()
    policy = {"PolicyName": "it", "PolicyDocument": {"Version": "2012-10-17", "Statement": list(statements)}}
    template["Resources"]["Role"]["Properties"]["Policies"] = [policy]
    return template


def stored(world: World) -> set[str]:
    found = world.s3.list_objects_v2(Bucket="artifacts", Prefix="bundles/").get("Contents", [])
    return {item["Key"] for item in found}


def is_there(world: World) -> bool:
    try:
        world.cloudformation.describe_stacks(StackName=world.app.stack)
    except ClientError:
        return False
    return True


@pytest.mark.parametrize("rights", ["granted", "account"])
def test_what_is_not_granted_is_refused_where_grants_count(world: World, rights: Any) -> None:
    world.make.access = AppAccess(world.app, Grants(), rights)
    bundle = world.make.bundle(asking_for(READ))
    before = stored(world)
    if rights == "account":
        assert world.deploy(bundle).version == "1"
        return
    with pytest.raises(AppError) as refused:
        world.deploy(bundle)
    assert refused.value.code is Code.RIGHTS_NOT_GRANTED
    assert stored(world) == before
    assert not is_there(world)


def test_only_what_an_app_may_refer_to_is_looked_up_and_before_anything_is_changed(world: World) -> None:
    world.make.access = AppAccess(world.app, Grants(), "granted")
    refused, fine = world.make.bundle(asking_for(READ)), world.make.bundle()
    with pytest.raises(AppError):
        world.deploy(refused)
    assert world.looked_up == []
    world.lacks = AppError(Code.BAD_CONFIG, "there is no such queue", hint="make it")
    before = stored(world)
    with pytest.raises(AppError, match="no such queue"):
        world.deploy(fine)
    assert world.looked_up == [fine]
    assert stored(world) == before
    assert not is_there(world)
    world.lacks = None
    assert world.deploy(fine).version == "1"
    assert "looked up" in world.warned


def test_rights_that_the_boundary_withholds_are_warned_of(world: World) -> None:
    wide = "arn:aws:iam::123456789012:policy/auto-lambda-AppBoundary-1ABCDEFGHIJKL"
    world.make.access = AppAccess(world.app, Grants(), "account", boundary_arn=wide)
    world.make.surroundings = replace(world.target, boundary_arn=wide)
    world.deploy(world.make.bundle(asking_for({**READ, "Action": ["s3:GetObject", "ec2:RunInstances"]})))
    assert any("withholds: ec2:RunInstances. " in warning for warning in world.warned)


def test_a_widening_waits_until_exactly_it_is_approved(world: World) -> None:
    grants = Grants(statements=({**READ, "Action": "s3:*"},), approve="widenings")
    world.make.access = AppAccess(world.app, grants, "granted")
    narrow, wide = world.make.bundle(asking_for()), world.make.bundle(asking_for(READ))
    first = world.deploy(narrow)
    with pytest.raises(AppError) as waits:
        world.deploy(wide, narrow.template_key)
    assert waits.value.code is Code.NEEDS_APPROVAL
    assert wide.template_key in stored(world)
    assert world.live(first.function) == "1"

    world.approved = {world.asked_for[-1]}
    assert world.deploy(wide, narrow.template_key).template_key == wide.template_key
    assert "approved by ana" in world.said
    wider = world.make.bundle(asking_for({**READ, "Action": ["s3:GetObject", "s3:PutObject"]}))
    with pytest.raises(AppError):
        world.deploy(wider, wide.template_key)
    assert world.deploy(narrow, wide.template_key).template_key == narrow.template_key


def test_a_release_has_the_boundary_that_its_app_has(world: World) -> None:
    bundle = world.make.bundle()
    world.make.access = replace(world.make.access, boundary_arn="arn:aws:iam::123456789012:policy/Another")
    with pytest.raises(AppError, match="boundary"):
        world.deploy(bundle)

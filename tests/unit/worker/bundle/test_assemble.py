from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
from drafts import SURROUNDINGS, Maker, resource, rest_template

from auto_lambda.errors import AppError, Code
from worker.bundle import release
from worker.bundle.assemble import renew


@pytest.fixture
def make(tmp_path: Path) -> Maker:
    return Maker(tmp_path)


def test_artifacts_are_named_after_their_content(make: Maker) -> None:
    bundle = make.bundle(layer={"dep.py": "x = 1"})
    layer, code, template = bundle.artifacts
    for artifact in bundle.artifacts:
        assert hashlib.sha256(artifact.path.read_bytes()).hexdigest() in artifact.key
    assert layer.key.startswith("layers/")
    assert code.key.startswith("bundles/")
    assert code.key.endswith(".zip")
    assert template.key == bundle.template_key
    assert json.loads(template.path.read_bytes()) == bundle.template


def test_the_lock_lies_beside_the_bundle_and_the_template_names_it(make: Maker) -> None:
    lock = "six==1.17.0 \\\n    --hash=sha256:aa\n"
    bundle = make.bundle(layer={"dep.py": "x = 1"}, lock=lock)
    (stored,) = [artifact for artifact in bundle.artifacts if artifact.key.endswith(".lock.txt")]
    assert stored.path.read_text() == lock
    assert stored.key == f"bundles/{hashlib.sha256(lock.encode()).hexdigest()}.lock.txt"
    assert bundle.template["Metadata"]["AutoLambda"]["Lock"] == stored.key


def test_an_app_without_dependencies_has_no_layer(make: Maker) -> None:
    bundle = make.bundle()
    assert len(bundle.artifacts) == 2
    assert "Layers" not in bundle.template["Resources"]["Api"]["Properties"]


@pytest.mark.parametrize("asked", [True, False])
def test_a_stored_template_tells_whether_a_request_may_be_made_up(make: Maker, asked: bool) -> None:
    bundle = make.bundle(asked=asked)
    assert release.bundle(bundle.app, bundle.template_key, bundle.template) == replace(bundle, artifacts=())
    assert bundle.asked is asked


def test_too_many_resources(make: Maker) -> None:
    template = rest_template()
    template["Resources"] |= {f"Queue{number}": resource("SQS::Queue") for number in range(500)}
    with pytest.raises(AppError, match=r"50[0-9] resources") as caught:
        make.bundle(template)
    assert caught.value.code is Code.TOO_MANY_RESOURCES


def test_too_long_a_template(make: Maker) -> None:
    template = rest_template()
    template["Resources"]["Rest"]["Properties"]["Body"]["info"]["description"] = "x" * 1_000_000
    with pytest.raises(AppError) as caught:
        make.bundle(template)
    assert caught.value.code is Code.TOO_MANY_RESOURCES


def test_too_long_an_environment(make: Maker) -> None:
    with pytest.raises(AppError, match="environment of Api takes 5,0") as caught:
        make.bundle(environment={"TEXT": "x" * 5000})
    assert caught.value.code is Code.BAD_CONFIG


LOGS = {"Effect": "Allow", "Action": ["logs:PutLogEvents"], "Resource": "arn:*:logs:*:*:*"}


def test_a_stored_release_is_renewed_to_what_is_made_today(make: Maker, tmp_path: Path) -> None:
    template = rest_template()
    policy = {"PolicyName": "it", "PolicyDocument": {"Statement": [LOGS]}}
    template["Resources"]["Role"]["Properties"]["Policies"] = [policy]
    before = make.bundle(template)
    theirs = replace(SURROUNDINGS, boundary_arn=f"{SURROUNDINGS.boundary_arn}2")
    work = tmp_path / "renewed"
    work.mkdir()
    renewed = renew(before, work, theirs, narrow=True)
    role = renewed.template["Resources"]["Role"]["Properties"]
    assert role["PermissionsBoundary"] == theirs.boundary_arn
    assert "arn:*:logs" not in json.dumps(role)
    assert renewed.template_key != before.template_key
    (artifact,) = renewed.artifacts
    assert json.loads(artifact.path.read_bytes()) == renewed.template
    assert renew(renewed, work, theirs, narrow=True) == renewed


def test_a_release_that_is_as_it_would_be_today_stays_what_it_is(make: Maker, tmp_path: Path) -> None:
    bundle = make.bundle()
    assert renew(bundle, tmp_path, SURROUNDINGS, narrow=False) is bundle

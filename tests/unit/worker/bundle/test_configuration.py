"""Templates whose functions load the app's configuration."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from drafts import APP, SURROUNDINGS, Maker, rest_template

from builder.source.options import OUR_VARIABLES
from worker.bundle.assemble import renew
from worker.bundle.configuration import LAYER, POLICY, REVISION, revision_of
from worker.bundle.on_lambda.auto_lambda_configuration import HANDLER, PATH
from worker.bundle.pointers import RELEASE_VARIABLE, releases_of
from worker.deploy.gate.gate import pass_gate
from worker.model import Bundle


@pytest.fixture
def make(tmp_path: Path) -> Maker:
    return Maker(tmp_path)


@pytest.fixture
def renewed(tmp_path: Path) -> Callable[..., Bundle]:
    def use(bundle: Bundle, revision: str | None) -> Bundle:
        work = tmp_path / f"renewed-{len(list(tmp_path.iterdir()))}"
        work.mkdir()
        return renew(bundle, work, SURROUNDINGS, narrow=False, revision=revision)

    return use


def function(bundle: Bundle) -> Any:
    return bundle.template["Resources"]["Api"]["Properties"]


def test_a_function_loads_the_configuration_before_its_own_handler(make: Maker, renewed: Any) -> None:
    plain = make.bundle(rest_template(), layer={"dep.py": ""})
    before = function(plain)
    bundle = renewed(plain, "r1")
    now = function(bundle)
    variables = now["Environment"]["Variables"]
    assert now["Handler"] == "auto_lambda_configuration.handler"
    assert variables["AUTO_LAMBDA_HANDLER"] == before["Handler"]
    assert variables["AUTO_LAMBDA_CONFIGURATION"] == f"/auto-lambda/{APP.stage}/{APP.name}/config"
    assert variables[REVISION] == "r1"
    assert now["Layers"] == [*before["Layers"], {"Ref": LAYER}]
    layer, _ = bundle.artifacts
    assert bundle.template["Resources"][LAYER]["Properties"]["Content"]["S3Key"] == layer.key
    with zipfile.ZipFile(io.BytesIO(layer.path.read_bytes())) as archive:
        assert archive.namelist() == ["python/auto_lambda_configuration.py"]
    pass_gate(bundle, make.access.target(SURROUNDINGS), make.access)


def test_its_role_may_read_that_path_and_no_other(make: Maker, renewed: Any) -> None:
    bundle = renewed(make.bundle(rest_template()), "r1")
    policies = bundle.template["Resources"]["Role"]["Properties"]["Policies"]
    (policy,) = [one for one in policies if one["PolicyName"] == POLICY]
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert statement["Action"] == ["ssm:GetParametersByPath"]
    (resource,) = statement["Resource"]
    assert resource.endswith(f":parameter/auto-lambda/{APP.stage}/{APP.name}/config")


def test_each_revision_is_a_version_of_its_own_and_the_same_one_is_the_same(make: Maker, renewed: Any) -> None:
    plain = make.bundle(rest_template())
    first, second = renewed(plain, "r1"), renewed(plain, "r2")
    found = [releases_of(bundle.template) for bundle in (plain, first, second)]
    assert all(len(one) == 1 for one in found)
    assert len(frozenset().union(*found)) == 3
    for bundle in (plain, first, second):
        (release,) = releases_of(bundle.template)
        assert function(bundle)["Environment"]["Variables"][RELEASE_VARIABLE] == release.stamp
    assert renewed(first, "r1") is first
    assert renewed(first, "r2").template == second.template
    assert renewed(plain, "r1").template_key == first.template_key


def test_without_a_configuration_a_release_is_what_it_was(make: Maker, renewed: Any) -> None:
    plain = make.bundle(rest_template(), layer={"dep.py": ""})
    assert renewed(renewed(plain, "r1"), None).template == plain.template
    assert renewed(plain, None) is plain


def test_a_revision_changes_with_names_and_versions_and_is_none_without_any() -> None:
    both = revision_of({"/a/B": "1 noon", "/a/C": "1 noon"})
    assert revision_of({}) is None
    assert both == revision_of({"/a/C": "1 noon", "/a/B": "1 noon"})
    assert both != revision_of({"/a/B": "1 noon"}) != revision_of({"/a/B": "2 noon"})


def test_no_app_may_set_the_variables_that_are_ours() -> None:
    assert {PATH, HANDLER, REVISION, RELEASE_VARIABLE} == OUR_VARIABLES

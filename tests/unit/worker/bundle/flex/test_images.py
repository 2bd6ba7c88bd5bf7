from __future__ import annotations

import importlib.util
import json
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flex_parts import PARTS

from auto_lambda.runtimes import RUNTIMES
from auto_lambda_cli.local_stack.registry import RegistryServer, serving
from worker.bundle.flex.images import FILE, digests, is_pinned, pinned
from worker.bundle.flex.tasks import image
from worker.bundle.flex.template import flex_template
from worker.model import FlexTarget

DIGEST = f"sha256:{'d' * 64}"
PUBLIC = "public.ecr.aws/lambda/python:3.12"


def test_an_image_is_run_by_its_digest_if_that_is_known() -> None:
    assert pinned(PUBLIC, {PUBLIC: DIGEST}) == f"public.ecr.aws/lambda/python@{DIGEST}"
    assert pinned("here.example:5000/own:3.12", {PUBLIC: DIGEST}) == "here.example:5000/own:3.12"
    assert is_pinned(pinned(PUBLIC, {PUBLIC: DIGEST}))
    assert not is_pinned(PUBLIC)


def test_tasks_run_the_pinned_image_of_their_version_and_say_which_that_is() -> None:
    made = replace(PARTS, target=FlexTarget(digests={PUBLIC: DIGEST}))
    (container,) = flex_template(made)["Resources"]["TaskDefinition"]["Properties"]["ContainerDefinitions"]
    assert container["Image"] == image(made) == f"public.ecr.aws/lambda/python@{DIGEST}"
    assert container["DockerLabels"] == {"auto-lambda.python": "3.12"}


def test_the_table_has_a_date_and_either_all_versions_or_none() -> None:
    told = json.loads(FILE.read_text())
    known = digests()
    assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", one) for one in known.values())
    assert bool(known) == bool(told["as_of"])
    if known:
        assert {FlexTarget().image.replace("{python}", minor) for minor in RUNTIMES} <= set(known)


@pytest.fixture(scope="module")
def script() -> Any:
    path = Path(__file__).parents[5] / "scripts" / "task_images.py"
    spec = importlib.util.spec_from_file_location("task_images", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_the_registry_tells_the_digests_of_all_versions(script: Any, tmp_path: Path) -> None:
    with serving(RegistryServer(user="")) as server:
        pushed = {minor: server.push("lambda/python", minor, architectures=2) for minor in RUNTIMES}
        file = tmp_path / "images.json"
        name = f"{server.host}/lambda/python:{{python}}"
        assert script.main([name], lambda one: script.digest(one, "http"), file) == 0
        assert digests(file) == {f"{server.host}/lambda/python:{minor}": told for minor, told in pushed.items()}
        assert json.loads(file.read_text())["as_of"]


def test_without_all_of_them_the_table_stays_as_it_is(
    script: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "images.json"
    file.write_text(FILE.read_text())
    with serving(RegistryServer()) as server:
        server.push("lambda/python", "3.12")
        name = f"{server.host}/lambda/python:{{python}}"
        assert script.main([name], lambda one: script.digest(one, "http"), file) == 1
    assert "has no tag" in capsys.readouterr().err
    assert file.read_text() == FILE.read_text()

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from auto_lambda_cli.local_stack.fargate.process import (
    TaskProcess,
    command_of,
    environ_of,
    is_ours,
    minor_of,
)


def definition(command: list[str] | None = None, image: str = "example.com/python:3.12", **variables: str) -> Any:
    listed = [{"name": name, "value": value} for name, value in variables.items()]
    container: dict[str, Any] = {"image": image, "environment": listed}
    return {"containerDefinitions": [{**container, **({"command": command} if command else {})}]}


TASK = '{"kind": "asgi", "port": 8080}'


def test_only_containers_with_the_entrypoints_description_are_run() -> None:
    assert is_ours(definition(AUTO_LAMBDA_TASK=TASK))
    assert not is_ours(definition(OTHER="1"))
    assert not is_ours({"containerDefinitions": []})
    assert not is_ours({})


@pytest.mark.parametrize(
    ("image", "minor"),
    [
        ("public.ecr.aws/lambda/python:3.13@sha256:0", "3.13"),
        ("public.ecr.aws/lambda/python:3.12", "3.12"),
        ("example.com:5000/own:latest", "3.11"),
    ],
)
def test_the_image_tells_the_version_of_python(image: str, minor: str) -> None:
    assert minor_of(definition(image=image), "3.11") == minor


def test_of_an_image_by_digest_the_label_tells_the_version() -> None:
    given = definition(image=f"public.ecr.aws/lambda/python@sha256:{'0' * 64}")
    assert minor_of(given, "3.11") == "3.11"
    given["containerDefinitions"][0]["dockerLabels"] = {"auto-lambda.python": "3.13"}
    assert minor_of(given, "3.11") == "3.13"


def test_the_command_is_the_containers_with_an_interpreter_of_this_machine() -> None:
    assert command_of(definition(["python3.12", "-c", "x"]), Path("/here/python")) == ["/here/python", "-c", "x"]
    assert command_of(definition(["/bin/true"]), Path("/here/python")) == ["/bin/true"]
    assert command_of(definition(), Path("/here/python")) == ["/here/python", "-m", "entrypoint"]


def test_a_task_has_a_port_and_roots_of_its_own_and_the_embedded_aws(tmp_path: Path) -> None:
    aws = {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}
    given = definition(AUTO_LAMBDA_TASK=TASK, WORD="one", AWS_ENDPOINT_URL="https://elsewhere")
    environ = environ_of(given, aws, 5123, tmp_path)
    assert json.loads(environ["AUTO_LAMBDA_TASK"]) == {"kind": "asgi", "port": 5123}
    assert environ["WORD"] == "one"
    assert environ["AWS_ENDPOINT_URL"] == "http://127.0.0.1:1"
    assert "ECS_CONTAINER_METADATA_URI_V4" in environ


def test_a_task_runs_is_told_to_end_and_leaves_its_log(tmp_path: Path) -> None:
    program = (
        "import os, signal, time; print(os.environ['WORD'], flush=True);"
        "signal.signal(signal.SIGTERM, lambda *_: os._exit(7)); time.sleep(30)"
    )
    given = definition(["python", "-c", program], AUTO_LAMBDA_TASK=TASK, WORD="one")
    task = TaskProcess.start(given, lambda _: Path(sys.executable), "3.12", {}, tmp_path / "task")
    try:
        deadline = time.monotonic() + 20
        while "one" not in task.log.read_text() and time.monotonic() < deadline:
            time.sleep(0.02)
        assert task.returncode() is None
        time.sleep(0.1)  # for the handler
        task.terminate()
        while task.returncode() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        assert task.returncode() == 7
    finally:
        task.kill()

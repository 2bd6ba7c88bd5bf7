from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from auto_lambda.tools import interpreters
from auto_lambda_cli.local_stack.embedded import EmbeddedAws, EmbeddedAwsError, preferred_minor
from auto_lambda_cli.running_stacks import answers

HANDLER = """
import code, os, sys, tempfile
code.InteractiveConsole  # the standard library's module, not the folder that the emulator keeps our code in
def handler(event, context):
    import boto3
    return {
        "python": "%d.%d" % sys.version_info[:2], "environ": dict(os.environ), "temporary": tempfile.mkdtemp()
    }
"""


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedAws]:
    with EmbeddedAws.start(tmp_path_factory.mktemp("aws")) as running:
        yield running


def client(aws: EmbeddedAws, service: str) -> Any:
    return boto3.client(  # type: ignore[call-overload]
        service,
        endpoint_url=aws.endpoint,
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )


def zipped(**files: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(f"{name.replace('_in_', '/')}.py", content)
    return buffer.getvalue()


def invoke(aws: EmbeddedAws, runtime: str) -> dict[str, Any]:
    functions = client(aws, "lambda")
    name = runtime.replace(".", "")
    functions.create_function(
        FunctionName=name,
        Runtime=runtime,
        Role="arn:aws:iam::123456789012:role/any",
        Handler="app.handler",
        Code={"ZipFile": zipped(app=HANDLER, __init__="")},
    )
    answer: dict[str, Any] = json.loads(functions.invoke(FunctionName=name)["Payload"].read())
    return answer


def ended(pid: int, patience: float = 10.0) -> bool:
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        try:
            os.killpg(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("minor", sorted(interpreters()))
def test_a_function_runs_under_the_python_that_its_runtime_names(aws: EmbeddedAws, minor: str) -> None:
    assert invoke(aws, f"python{minor}")["python"] == minor


def test_a_runtime_that_the_machine_lacks_is_named_in_the_answer(aws: EmbeddedAws) -> None:
    assert "this machine has no python3.8" in invoke(aws, "python3.8")["errorMessage"]


def test_a_function_inherits_nothing_of_the_starter_or_the_emulator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OF_THE_STARTER", "1")
    with EmbeddedAws.start(tmp_path) as aws:
        environ = invoke(aws, f"python{preferred_minor()}")["environ"]
    assert not {"OF_THE_STARTER", "HOME", "GATEWAY_PORT", "TMPDIR", "VIRTUAL_ENV"} & environ.keys()
    assert environ["AWS_ENDPOINT_URL"] == aws.endpoint


def test_a_function_has_temporary_files_of_its_own(tmp_path: Path) -> None:
    with EmbeddedAws.start(tmp_path) as aws:
        temporary = Path(invoke(aws, f"python{preferred_minor()}")["temporary"])
        assert temporary.is_dir()
        assert temporary.is_relative_to(tmp_path)
    assert not temporary.exists()


def test_functions_share_a_layers_files_and_see_its_newest_version(aws: EmbeddedAws) -> None:
    functions = client(aws, "lambda")
    layers = [
        functions.publish_layer_version(LayerName="shared", Content={"ZipFile": zipped(python_in_lib=f"x = {number}")})
        for number in (1, 2)
    ]
    code = "import lib, os\ndef handler(event, context): return [lib.x, os.path.realpath(lib.__file__)]\n"

    def answer(name: str, layer: int) -> Any:
        functions.create_function(
            FunctionName=name,
            Runtime=f"python{preferred_minor()}",
            Role="arn:aws:iam::123456789012:role/any",
            Handler="app.handler",
            Code={"ZipFile": zipped(app=code)},
            Layers=[layers[layer]["LayerVersionArn"]],
        )
        return json.loads(functions.invoke(FunctionName=name)["Payload"].read())

    one, two, newer = answer("one", 0), answer("two", 0), answer("newer", 1)

    assert one == two
    assert (one[0], newer[0]) == (1, 2)


def test_a_large_layer_is_whole(aws: EmbeddedAws) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(40):
            archive.writestr(f"python/deep/{number % 7}/below/{number}.txt", str(number) * 1_000_000)
    functions = client(aws, "lambda")
    layer = functions.publish_layer_version(LayerName="large", Content={"ZipFile": buffer.getvalue()})
    code = """
import pathlib
def handler(event, context):
    return {path.stem: path.stat().st_size for path in pathlib.Path(event).rglob("*.txt")}
"""
    functions.create_function(
        FunctionName="large",
        Runtime=f"python{preferred_minor()}",
        Role="arn:aws:iam::123456789012:role/any",
        Handler="app.handler",
        Code={"ZipFile": zipped(app="import deep, os\n" + code.replace("(event)", "(list(deep.__path__)[0])"))},
        Layers=[layer["LayerVersionArn"]],
    )
    answer = functions.invoke(FunctionName="large")
    found = json.loads(answer["Payload"].read())
    assert found == {str(number): len(str(number)) * 1_000_000 for number in range(40)}


def test_leaving_the_context_ends_the_emulator_with_its_functions(tmp_path: Path) -> None:
    with EmbeddedAws.start(tmp_path) as aws:
        invoke(aws, f"python{preferred_minor()}")
        assert answers(aws.endpoint)
    assert ended(aws.pid)
    assert not answers(aws.endpoint)
    assert [path.name for path in tmp_path.iterdir()] == ["aws.log"]


def test_it_ends_when_its_starter_is_killed(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from auto_lambda_cli.local_stack.embedded import EmbeddedAws\n"
        "aws = EmbeddedAws.start(Path(sys.argv[1])); print(aws.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout is not None
        pid = int(starter.stdout.readline())
        starter.send_signal(signal.SIGKILL)
    assert ended(pid)


def test_a_taken_port_is_told_at_once(aws: EmbeddedAws, tmp_path: Path) -> None:
    port = int(aws.endpoint.rpartition(":")[2])
    with pytest.raises(OSError, match=rf"port {port} on 127\.0\.0\.1: Address already in use"):
        EmbeddedAws.start(tmp_path, port)


def test_an_emulator_that_dies_at_start_shows_the_end_of_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text("raise SystemExit('nothing works today')")
    monkeypatch.setattr("auto_lambda_cli.local_stack.embedded._LAUNCHER", broken)
    with pytest.raises(EmbeddedAwsError, match=r"(?s)exited with 1.*nothing works today"):
        EmbeddedAws.start(tmp_path / "aws")

from __future__ import annotations

import json
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from auto_lambda_cli.running_stacks import RunningStack, announced, running, state_folder, without_aws

OUTPUTS = {
    "UploadsBucket": "uploads",
    "ArtifactsBucket": "artifacts",
    "QueueUrl": "http://localhost/q",
    "DeadLetterQueueUrl": "http://localhost/d",
    "LedgerTable": "ledger",
    "BoundaryArn": "arn:aws:iam::123456789012:policy/b",
    "GrantedBoundaryArn": "arn:aws:iam::123456789012:policy/g",
    "AppRights": "account",
    "WorkerRoleArn": "arn:aws:iam::123456789012:role/w",
    "MetricsNamespace": "AutoLambda",
    "WorkerGroup": "workers",
}


class Healthy(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def pipeline(tmp_path: Path) -> Iterator[RunningStack]:
    with HTTPServer(("127.0.0.1", 0), Healthy) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        endpoint = f"http://127.0.0.1:{server.server_port}"
        yield RunningStack.from_outputs(OUTPUTS, endpoint=endpoint, secret="a secret", folder=tmp_path)
        server.shutdown()


def test_a_running_stack_is_found(pipeline: RunningStack, tmp_path: Path) -> None:
    with announced(pipeline, tmp_path):
        assert running(tmp_path) == [pipeline]
    assert running(tmp_path) == []


def test_only_its_user_can_read_the_secret_of_a_stack(pipeline: RunningStack, tmp_path: Path) -> None:
    registry = tmp_path / "registry"
    with announced(pipeline, registry) as note:
        assert "a secret" in note.read_text()
        assert [stat.S_IMODE(path.stat().st_mode) for path in (registry, note)] == [0o700, 0o600]
    assert "a secret" not in repr(pipeline)


def test_a_stack_whose_process_is_gone_is_forgotten(pipeline: RunningStack, tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    with announced(replace(pipeline, pid=ended.pid), tmp_path) as note:
        assert running(tmp_path) == []
        assert not note.exists()


def test_a_process_that_took_over_the_number_is_no_stack(pipeline: RunningStack, tmp_path: Path) -> None:
    with announced(replace(pipeline, endpoint="http://127.0.0.1:1"), tmp_path):
        assert running(tmp_path) == []


@pytest.mark.parametrize("text", ["", "{}", "[]", "nonsense", '{"endpoint": 1}'])
def test_a_note_that_cannot_be_read_is_passed_over(tmp_path: Path, text: str) -> None:
    (tmp_path / "1.json").write_text(text)
    assert running(tmp_path) == []


def test_no_folder_is_no_stack(tmp_path: Path) -> None:
    assert running(tmp_path / "none") == []


def test_the_folder_follows_xdg() -> None:
    assert state_folder({"XDG_STATE_HOME": "/s"}) == Path("/s/auto-lambda/local")


def test_the_ready_line_holds_all_that_a_client_needs(pipeline: RunningStack) -> None:
    line = json.loads(json.dumps(pipeline.ready_line()))
    assert line["ready"] is True
    assert line["bucket"] == line["environ"]["AUTO_LAMBDA_UPLOADS_BUCKET"] == "uploads"
    assert line["endpoint"] == line["environ"]["AWS_ENDPOINT_URL"] == pipeline.endpoint
    assert line["environ"]["AWS_SECRET_ACCESS_KEY"] == "a secret"


def test_nothing_of_another_aws_stays_in_the_environment(pipeline: RunningStack) -> None:
    environ = pipeline.environ_over({"AWS_PROFILE": "mine", "AWS_ENDPOINT_URL_S3": "https://s3", "HOME": "/home/me"})
    assert "AWS_PROFILE" not in environ
    assert "AWS_ENDPOINT_URL_S3" not in environ
    assert environ["HOME"] == "/home/me"


def test_a_persons_own_aws_settings_are_dropped() -> None:
    assert without_aws({"AWS_PROFILE": "mine", "AWS_ENDPOINT_URL_S3": "x", "PATH": "/bin"}) == {"PATH": "/bin"}

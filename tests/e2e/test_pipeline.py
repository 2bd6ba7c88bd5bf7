"""A pipeline as the command line launches it in an account: used, moved to this version, taken down."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3
from e2e_stack import AUTO_LAMBDA, make_zip, small_chalice

from auto_lambda_cli.local_stack.embedded import EmbeddedAws
from auto_lambda_cli.local_stack.processes import Child
from auto_lambda_cli.local_stack.stack import local_client
from auto_lambda_cli.running_stacks import RunningStack

NAME = "staging"
MEMORY = {"Bucket": f"{NAME}-templates-123456789012-us-east-1", "Key": "pipeline.json"}


class Account:
    """An account that nothing is in, and the command line in it."""

    def __init__(self, aws: EmbeddedAws, folder: Path) -> None:
        self.aws = aws
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "AUTO_LAMBDA_"))}
        self.environ = {**kept, **aws.environ, "XDG_STATE_HOME": str(folder / "state")}

    def cli(self, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [AUTO_LAMBDA, *arguments], env=self.environ, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=200, check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stderr
        return done

    def pipeline(self, command: str, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        return self.cli("pipeline", command, "--name", NAME, *arguments, code=code)


@pytest.fixture
def account(tmp_path: Path) -> Iterator[Account]:
    with EmbeddedAws.start(tmp_path / "aws") as aws:
        yield Account(aws, tmp_path)


def start_worker(account: Account, outputs: dict[str, str], folder: Path) -> Child:
    pipeline = RunningStack.from_outputs(
        outputs, endpoint=account.aws.endpoint, secret=account.aws.secret, folder=folder
    )
    work = folder / "work"
    work.mkdir()
    settings = {"AUTO_LAMBDA_WORK_DIR": str(work), "AUTO_LAMBDA_POLL_SECONDS": "1", "AUTO_LAMBDA_DRAIN_SECONDS": "1"}
    worker = Child("worker", "worker", folder / "worker.log", {**pipeline.environ_over(os.environ), **settings})
    worker.start()
    worker.wait_until_ready(120)
    return worker


def answer(url: str) -> Any:
    return json.loads(urllib3.request("GET", url, timeout=60).data)


def test_a_pipeline_is_launched_used_upgraded_and_taken_down(account: Account, tmp_path: Path) -> None:
    unasked = account.pipeline("up", code=2)
    assert "+ UploadsBucket" in unasked.stderr
    assert "use --yes" in unasked.stderr
    account.pipeline("status", code=2)

    launched = json.loads(account.pipeline("up", "--set", "AppRights=account", "--yes", "--json").stdout)
    outputs = launched["outputs"]
    account.environ["AUTO_LAMBDA_UPLOADS_BUCKET"] = outputs["UploadsBucket"]
    zipped = tmp_path / "small.zip"
    zipped.write_bytes(make_zip(small_chalice()))
    worker = start_worker(account, outputs, tmp_path)
    try:
        url = account.cli("deploy", str(zipped)).stdout.strip()
    finally:
        worker.end(5)
    assert answer(url) == {"hello": "world"}

    store = local_client(account.aws, "s3")
    remembered = json.loads(store.get_object(**MEMORY)["Body"].read())
    store.put_object(**MEMORY, Body=json.dumps({**remembered, "version": "0.0.1"}))
    assert "is of version 0.0.1: use auto-lambda pipeline upgrade" in account.pipeline("up", "--yes", code=2).stderr
    upgraded = json.loads(account.pipeline("upgrade", "--yes", "--json").stdout)
    assert upgraded["outputs"] == outputs
    assert "complete" in account.pipeline("status", "--json").stdout

    left = account.pipeline("down", "--yes").stdout
    assert outputs["LedgerTable"] in left
    account.pipeline("status", code=1)
    assert answer(url) == {"hello": "world"}
    again = json.loads(account.pipeline("up", "--yes", "--json").stdout)["outputs"]
    assert {name: again[name] for name in ("UploadsBucket", "QueueUrl", "LedgerTable", "AppRights")} == {
        name: outputs[name] for name in ("UploadsBucket", "QueueUrl", "LedgerTable", "AppRights")
    }
    assert "small" in account.cli("status").stdout

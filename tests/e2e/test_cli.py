"""The command line against a running stack: what it prints and how it exits."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from e2e_stack import AUTO_LAMBDA, Stack, make_zip, slow_to_build, small_chalice


@pytest.fixture(scope="module")
def stack(started: Stack) -> Stack:
    """The shared stack, without the apps that other tests drop."""
    return started


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small app as it lies in its author's folder, with what should not be uploaded beside it."""
    for name, content in small_chalice("'from a folder'").items():
        path = tmp_path / "app" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(content))
    return tmp_path / "app"


def test_deploy_a_folder_waits_until_it_is_live(stack: Stack, folder: Path) -> None:
    done = stack.cli("deploy", str(folder), "--name", "cli-folder", "--wait", "--json")
    assert done.returncode == 0, done.stderr
    receipt = json.loads(done.stdout)
    assert (receipt["status"], receipt["app"]) == ("live", "cli-folder")
    assert stack.http(receipt["url"]).text == "from a folder"


def test_deploy_a_zip_into_a_stage(stack: Stack, tmp_path: Path) -> None:
    path = tmp_path / "any.zip"
    path.write_bytes(make_zip(small_chalice()))
    done = stack.cli("deploy", str(path), "--name", "cli-zip", "--stage", "qa", "--wait", "--json")
    assert (done.returncode, json.loads(done.stdout)["stage"]) == (0, "qa"), done.stderr


def test_deploy_of_a_bad_app_exits_1_and_says_why(stack: Stack, tmp_path: Path) -> None:
    path = tmp_path / "bad.zip"
    path.write_bytes(make_zip({"readme.txt": "nothing here"}))
    done = stack.cli("deploy", str(path), "--name", "cli-bad", "--wait", "--json")
    assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (1, "no-framework"), done.stderr
    for_people = stack.cli("deploy", str(path), "--name", "cli-bad", "--wait")
    assert for_people.returncode == 1
    assert "no-framework" in for_people.stdout + for_people.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["deploy"],
        ["deploy", "/nonexistent.zip", "--name", "x"],
        ["deploy", __file__, "--name", "Not A Name"],
        ["deploy", __file__, "--name", "x", "--stage", "Not/A/Stage"],
        ["no-such-command"],
    ],
    ids=["no app", "missing file", "bad name", "bad stage", "unknown command"],
)
def test_wrong_usage_exits_2(stack: Stack, arguments: list[str]) -> None:
    done = stack.cli(*arguments)
    assert done.returncode == 2
    assert done.stderr
    assert "Traceback" not in done.stderr


def test_deploy_that_is_not_done_in_time_exits_3(stack: Stack, tmp_path: Path) -> None:
    path = tmp_path / "slow.zip"
    path.write_bytes(make_zip(slow_to_build(small_chalice())))
    done = stack.cli("deploy", str(path), "--name", "cli-slow", "--wait", "--json", "--timeout", "1")
    assert done.returncode == 3, done.stderr


def test_status_and_logs_tell_of_an_app(stack: Stack, folder: Path) -> None:
    assert stack.cli("deploy", str(folder), "--name", "cli-told", "--wait").returncode == 0
    status = stack.cli("status")
    assert status.returncode == 0, status.stderr
    assert "cli-told" in status.stdout
    logs = stack.cli("logs", "cli-told")
    assert logs.returncode == 0, logs.stderr
    assert "live" in logs.stdout


def test_watching_sees_a_drop_from_the_queue_to_its_receipt(stack: Stack) -> None:
    command: list[str | Path] = [AUTO_LAMBDA, "status", "--watch", "--json", "--interval", "0.5"]
    with subprocess.Popen(command, env=stack.environ, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            looks = map(json.loads, process.stdout)
            assert next(looks)["queue"]  # a fast build would be over before a watcher has started
            stack.drop("cli-watched", make_zip(slow_to_build(small_chalice())))
            running = told_of("dev/cli-watched", "running", looks)
            assert running["step"]
            assert running["seconds"] >= 0
            assert told_of("dev/cli-watched", "last", looks)["status"] == "live"
        finally:
            process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130


def told_of(app: str, where: str, looks: Iterator[dict[str, Any]]) -> dict[str, Any]:
    """What the next look that knows of an app says of it."""
    for look in looks:
        for one in look.get(where, ()):
            if one["app"] == app:
                return dict(one)
    raise AssertionError(f"the watch ended without {app} in {where!r}")


def test_the_doctor_finds_a_running_stack_and_this_machine_well(stack: Stack) -> None:
    done = stack.cli("doctor", "--json")
    assert done.returncode == 0, done.stdout
    found = {one["what"]: one["verdict"] for one in json.loads(done.stdout)}
    parts = {"settings", "sandbox", "index", "identity", "uploads bucket", "artifacts bucket", "queue", "ledger"}
    assert {found[part] for part in parts} == {"fine"}


def test_a_pipeline_that_keeps_its_apps_says_so_and_deletes_nothing(stack: Stack, folder: Path) -> None:
    assert stack.cli("deploy", str(folder), "--name", "cli-kept", "--wait").returncode == 0
    done = stack.cli("undeploy", "cli-kept", "--yes")
    assert (done.returncode, "UndeployOnDelete" in done.stderr) == (2, True)
    assert stack.s3.head_object(Bucket=stack.bucket, Key="apps/dev/cli-kept.zip")

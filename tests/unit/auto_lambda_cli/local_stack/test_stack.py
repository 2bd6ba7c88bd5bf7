"""The local stack with stand-ins for worker and checker: what it deploys, watches, restarts and ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import Mock

import pytest

from auto_lambda_cli.local_stack import stack as local_stack
from auto_lambda_cli.local_stack.embedded import EmbeddedAws
from auto_lambda_cli.local_stack.processes import Child, ChildError
from auto_lambda_cli.local_stack.stack import LocalStack, StackEnded, create_pipeline, deploy_pipeline, local_client
from auto_lambda_cli.running_stacks import RunningStack

READY = """
import os, pathlib, signal, socket, sys, time
print("at work", flush=True)
pathlib.Path("environ.txt").write_text(os.environ.get("AUTO_LAMBDA_UPLOADS_BUCKET", ""))
notices = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
notices.connect("\\0" + os.environ["NOTIFY_SOCKET"][1:])
notices.send(b"READY=1\\nSTATUS=at work")
time.sleep(60)
"""


def gone(pid: int | None, patience: float = 10.0) -> bool:
    assert pid is not None
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.02)
    return False


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Makes a module of a text, that `python -m` finds, and gives its name."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)

    def make(text: str) -> str:
        name = f"stand_in_{len(list(tmp_path.glob('stand_in_*')))}"
        (tmp_path / f"{name}.py").write_text(text)
        return name

    return make


@pytest.fixture
def start_child(modules: Callable[[str], str], tmp_path: Path) -> Iterator[Callable[[str], Child]]:
    children: list[Child] = []

    def start(text: str) -> Child:
        child = Child("stand-in", modules(text), tmp_path / "child.log", dict(os.environ))
        children.append(child)
        child.start()
        return child

    yield start
    for child in children:
        child.end(0)


class TestChild:
    def test_it_is_waited_for_until_it_says_that_it_is_at_work(self, start_child: Callable[[str], Child]) -> None:
        child = start_child(READY)
        child.wait_until_ready(20)
        assert child.returncode() is None

    def test_one_that_ends_instead_is_told_with_its_last_words(self, start_child: Callable[[str], Child]) -> None:
        child = start_child("raise SystemExit('the settings are wrong')")
        with pytest.raises(ChildError, match=r"(?s)stand-in exited with 1.*the settings are wrong"):
            child.wait_until_ready(20)

    def test_one_that_says_nothing_is_not_waited_for_for_ever(self, start_child: Callable[[str], Child]) -> None:
        child = start_child("import time; time.sleep(60)")
        with pytest.raises(ChildError, match="not ready after 0 s"):
            child.wait_until_ready(0.3)

    def test_what_heeds_no_signal_is_killed(self, start_child: Callable[[str], Child]) -> None:
        child = start_child("import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + READY)
        child.wait_until_ready(20)
        child.ask_to_stop()
        child.end(0.3)
        assert child.returncode() == -signal.SIGKILL

    def test_it_ends_when_its_starter_is_killed(self, modules: Callable[[str], str], tmp_path: Path) -> None:
        script = (
            "import os, sys, time; from pathlib import Path; from auto_lambda_cli.local_stack.processes import Child\n"
            f"child = Child('x', {modules(READY)!r}, Path('x.log'), dict(os.environ)); child.start()\n"
            "child.wait_until_ready(20); print(child.pid, flush=True); time.sleep(60)"
        )
        with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as starter:
            assert starter.stdout is not None
            pid = int(starter.stdout.readline())
            starter.kill()
        assert gone(pid)


@pytest.fixture
def stand_ins(modules: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Lets the stack start a module of this text as its worker."""
    made = local_stack._children

    def use(text: str) -> None:
        worker, checker = modules(text), modules(READY)

        def children(*arguments: Any) -> list[Child]:
            found = made(*arguments)
            for child in found:
                child.module = checker if child.module == "checker" else worker
            return found

        monkeypatch.setattr(local_stack, "_children", children)

    monkeypatch.setattr(local_stack, "prepare_tools", lambda **_: None)
    return use


def test_the_stack_comes_up_with_every_part_and_leaves_nothing(
    stand_ins: Callable[[str], None], tmp_path: Path
) -> None:
    stand_ins(READY)
    told: list[str] = []
    with LocalStack.start(tmp_path / "stack", workers=2, say=told.append) as stack:
        assert [child.name for child in stack.children] == ["worker-1", "worker-2", "checker"]
        assert all(child.returncode() is None for child in stack.children)
        s3 = local_client(stack.aws, "s3")
        assert s3.get_bucket_versioning(Bucket=stack.pipeline.bucket)["Status"] == "Enabled"
        pids = [stack.aws.pid, *(child.pid for child in stack.children)]
    assert all(gone(pid) for pid in pids)
    assert any(stack.pipeline.endpoint in line for line in told)
    assert (tmp_path / "environ.txt").read_text() == stack.pipeline.bucket


def test_a_worker_that_dies_is_told_of_and_started_again(
    stand_ins: Callable[[str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_ins(READY)
    monkeypatch.setattr(local_stack, "HEALTHY_AFTER", 0.0)
    told: list[str] = []
    with LocalStack.start(tmp_path / "stack", say=told.append) as stack:
        worker = stack.children[0]
        first = worker.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        while worker.returncode() is None:
            time.sleep(0.01)
        stack.check()
        assert worker.pid != first
        assert worker.returncode() is None
    assert any("the worker exited with -9" in line and "at work" in line for line in told)


def test_a_worker_that_dies_at_once_again_ends_the_stack(stand_ins: Callable[[str], None], tmp_path: Path) -> None:
    stand_ins(READY)
    with LocalStack.start(tmp_path / "stack") as stack:
        worker = stack.children[0]
        assert worker.pid is not None
        os.kill(worker.pid, signal.SIGKILL)
        with pytest.raises(StackEnded, match="the worker exited with -9"):
            stack.watch(threading.Event(), pause=0.01)


def test_a_console_that_does_not_start_is_told_of_and_the_stack_goes_on(
    modules: Callable[[str], str], tmp_path: Path
) -> None:
    told: list[str] = []
    console = Child("console", modules("exit('no page')"), tmp_path / "log", dict(os.environ), vital=False)
    console.start()
    assert not local_stack._ready(console, told.append)
    console.start()
    while console.returncode() is None:
        time.sleep(0.01)
    aws = SimpleNamespace(running=lambda: True)
    stack = LocalStack(Mock(), cast("EmbeddedAws", aws), [console], None, Mock(), ExitStack(), told.append)
    stack.check()
    assert stack.children == []
    assert [("no page" in line, "going on without the console" in line) for line in told] == [(True, True)] * 2


def test_the_end_of_the_embedded_aws_is_the_end(stand_ins: Callable[[str], None], tmp_path: Path) -> None:
    stand_ins(READY)
    with LocalStack.start(tmp_path / "stack") as stack:
        os.kill(stack.aws.pid, signal.SIGKILL)
        with pytest.raises(StackEnded, match="the embedded AWS exited"):
            stack.watch(threading.Event(), pause=0.01)


def test_a_stack_that_does_not_come_up_leaves_nothing(
    stand_ins: Callable[[str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_ins("raise SystemExit('no')")
    seen: list[Any] = []

    def deploy(aws: EmbeddedAws, *given: Any) -> RunningStack:
        seen.append(aws)
        return deploy_pipeline(aws, *given)

    monkeypatch.setattr(local_stack, "deploy_pipeline", deploy)
    with pytest.raises(ChildError):
        LocalStack.start(tmp_path / "stack")
    assert not seen[0].running()


def test_without_isolation_it_says_so_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AUTO_LAMBDA_SANDBOX", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    told: list[str] = []
    assert local_stack._sandbox(told.append) == {"AUTO_LAMBDA_SANDBOX": "off"}
    assert "without isolation" in told[0]


def test_the_template_deploys_as_it_is_with_all_that_an_emulator_shows(aws_client: Callable[[str], Any]) -> None:
    outputs = create_pipeline(aws_client, "pipeline-test", {})
    s3, sqs = aws_client("s3"), aws_client("sqs")
    bucket, queue = outputs["UploadsBucket"], outputs["QueueUrl"]
    s3.put_object(Bucket=bucket, Key="apps/dev/shop.receipt.json", Body=b"{}")
    s3.put_object(Bucket=bucket, Key="other/shop.zip", Body=b"zip")
    s3.put_object(Bucket=bucket, Key="apps/dev/shop.zip", Body=b"zip")
    keys = []
    while messages := sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=1, MaxNumberOfMessages=10).get("Messages"):
        records = [record for message in messages for record in json.loads(message["Body"]).get("Records", [])]
        keys += [record["s3"]["object"]["key"] for record in records]
    assert sorted(keys) == ["apps/dev/shop.zip", "other/shop.zip"], "archives anywhere, and never a receipt"
    attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    redrive = json.loads(attributes["RedrivePolicy"])
    assert redrive["maxReceiveCount"] == 5
    assert redrive["deadLetterTargetArn"].endswith(outputs["DeadLetterQueueUrl"].rpartition("/")[2])
    assert (attributes["VisibilityTimeout"], attributes["MessageRetentionPeriod"]) == ("120", "1209600")
    iam = aws_client("iam")
    assert iam.get_policy(PolicyArn=outputs["BoundaryArn"])["Policy"]["Arn"] == outputs["BoundaryArn"]
    assert iam.get_role(RoleName=outputs["WorkerRoleArn"].rpartition("/")[2])

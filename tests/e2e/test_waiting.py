"""What people are told while they wait: for a worker that has other work, or after the death of the one they had."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from browsing import CHROMIUM, Tab, chromium
from e2e_stack import AUTO_LAMBDA, LocalUp, Stack, descendants, make_zip, saying, slow_to_build, small_chalice, until
from playwright.sync_api import expect

_SETTLED = 12.0  # seconds; a stack whose worker exits sooner than after ten gives up
_LIVE = 150_000  # milliseconds


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalUp]:
    """A stack whose one worker does one thing at a time, with leases as short as they can be."""
    up = LocalUp(tmp_path_factory.mktemp("waiting"), AUTO_LAMBDA_VISIBILITY_SECONDS="10", AUTO_LAMBDA_SLOTS="1")
    try:
        yield up
    finally:
        up.end()


@pytest.fixture(scope="module")
def stack(up: LocalUp) -> Stack:
    return up.ready()


def worker(up: LocalUp) -> int:
    """The pid of the one worker, once it has run for long enough to be started again."""

    def settled() -> int | None:
        for pid in descendants(up.process.pid):
            if Path(f"/proc/{pid}/cmdline").read_bytes().endswith(b"\0-m\0worker\0"):
                began = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
                since_boot = float(Path("/proc/uptime").read_text().split()[0])
                return pid if since_boot - began / os.sysconf("SC_CLK_TCK") > _SETTLED else None
        return None

    return until(settled, 60)


def printed(process: subprocess.Popen[str], what: str) -> str:
    """The next line on standard error that has it."""
    assert process.stderr
    before = []
    for line in process.stderr:
        if what in line:
            return line
        before.append(line)
    raise AssertionError(f"it ended without {what!r}: {''.join(before)}")


@contextmanager
def paused(pid: int) -> Iterator[None]:
    """A process that does nothing meanwhile."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_following_the_log_of_a_drop_that_no_worker_has_waits_for_it(stack: Stack, up: LocalUp) -> None:
    stack.live(stack.drop("dev/queued", make_zip(saying("one"))))
    command = [str(AUTO_LAMBDA), "logs", "queued", "--follow"]
    with ExitStack() as both:
        with paused(worker(up)):
            second = stack.drop("dev/queued", make_zip(saying("two")))
            process = both.enter_context(
                subprocess.Popen(command, env=stack.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            )
            assert "its log follows" in printed(process, "waits for a worker")
            assert re.search(r"queued +dev +queued", stack.cli("status").stdout)
            assert "no worker has received it yet" in stack.cli("status", "queued").stdout
            assert json.loads(stack.cli("reconcile", "--dry-run", "--json").stdout) == [second.key]
            before = stack.cli("logs", "queued")
            assert (before.returncode, "the log of the drop before" in before.stderr) == (0, True)
        log, _ = process.communicate(timeout=150)
    assert process.returncode == 0
    assert stack.live(second)["status"] == "live"
    assert log == stack.log(second)
    assert log != before.stdout


def test_a_message_that_was_put_aside_is_shown_and_sent_back(stack: Stack) -> None:
    drop = stack.drop("dev/aside", make_zip(saying("one")))
    stack.live(drop)
    item = {"bucket": {"name": stack.bucket}, "object": {"key": drop.key, "versionId": drop.version, "size": 3}}
    stack.sqs.send_message(
        QueueUrl=stack.ready["dead_letters"],
        MessageBody=json.dumps({"Records": [{"eventName": "ObjectCreated:Put", "s3": item}]}),
        MessageAttributes={"code": {"DataType": "String", "StringValue": "ends-workers"}},
    )
    for options, sent in (("--dry-run",), 0), ((), 1):
        done = stack.cli("redrive", "--app", "aside", *options)
        assert done.returncode == 0
        assert "dev/aside: ends-workers" in done.stdout
        assert f"1 message in the dead-letter queue, {sent} sent back" in done.stdout + done.stderr
    assert "0 messages in the dead-letter queue" in (again := stack.cli("redrive")).stdout + again.stderr


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed: make browser")
def test_a_worker_that_dies_in_the_middle_of_a_build_is_told_and_replaced(
    stack: Stack, up: LocalUp, tmp_path: Path
) -> None:
    pid = worker(up)
    path = tmp_path / "lost.zip"
    path.write_bytes(make_zip(slow_to_build(small_chalice())))
    with (
        chromium() as browser,
        subprocess.Popen(
            [str(AUTO_LAMBDA), "deploy", str(path)], env=stack.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True,
        ) as process,
    ):  # fmt: skip
        printed(process, "building: build")
        os.kill(pid, signal.SIGKILL)
        tab = Tab(browser, str(stack.ready["console"]))
        page = tab.open("#/apps/dev/lost")
        assert "another one takes over soon after" in printed(process, "no news from")
        expect(page.get_by_text("If it was lost, another one takes over")).to_be_visible()
        assert f"-{pid} has given it up or was lost" in printed(process, "goes on from the beginning")
        printed(process, "building: ")  # whichever step of the next worker is seen first
        assert process.wait(150) == 0
        assert process.stdout
        assert stack.http(process.stdout.read().strip()).json == {"hello": "world"}
        expect(page.locator(".now h2")).to_have_text("Went live", timeout=_LIVE)
        expect(page.get_by_text("If it was lost")).to_have_count(0)
        tab.close()
        assert tab.wrong == []

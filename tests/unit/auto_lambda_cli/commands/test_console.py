"""``auto-lambda console``, and the console of a local stack, as processes."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from commands import BUCKET
from console import Page, eventually

from auto_lambda_cli.console.access import ADDRESS, ConsoleAddress

COMMAND = [str(Path(sys.executable).with_name("auto-lambda")), "console"]


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    given = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "AUTO_LAMBDA_"))}
    aws = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y", "AWS_REGION": "eu-west-1"}
    return {**given, **aws, "AUTO_LAMBDA_UPLOADS_BUCKET": BUCKET, "XDG_STATE_HOME": str(tmp_path), "DISPLAY": ":0"}


@contextmanager
def started(command: list[str], environ: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_says_where_it_is_and_ends_on_a_signal(environ: dict[str, str], number: int) -> None:
    with started([*COMMAND, "--json"], environ) as process:
        assert process.stdout
        ready = json.loads(process.stdout.readline())
        assert (ready["ready"], ready["bucket"], ready["endpoint"], ready["pid"]) == (True, BUCKET, None, process.pid)
        page = Page(ConsoleAddress.of(ready["url"]))
        assert page.get("api/about").json["region"] == "eu-west-1"
        assert b"<html" in page.get("").body
        process.send_signal(number)
        out, error = process.communicate(timeout=60)
        assert (process.returncode, out, error) == (0, "", "")


def test_without_a_terminal_only_the_address_is_on_standard_output(environ: dict[str, str]) -> None:
    with started(COMMAND, environ) as process:
        assert process.stdout
        address = ConsoleAddress.of(process.stdout.readline().strip())
        assert Page(address).get("api/about").status == 200
        process.send_signal(signal.SIGTERM)
        out, error = process.communicate(timeout=60)
        assert (process.returncode, out) == (0, "")
        assert error == f"the console of bucket {BUCKET} on AWS, until Ctrl-C:\n"


def test_a_port_that_is_taken_is_told(environ: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = subprocess.run([*COMMAND, "--port", port], env=environ, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"port {port} of 127.0.0.1 cannot be used: Address already in use" in done.stderr


def test_the_console_of_a_local_stack_is_where_it_is_told_to_be(environ: dict[str, str]) -> None:
    address = ConsoleAddress.free()
    for _ in range(2):  # the same when it is started again
        command = [sys.executable, "-m", "auto_lambda_cli.console"]
        with started(command, {**environ, ADDRESS: address.url}) as process:
            assert eventually(lambda: answers(address))
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0


def answers(address: ConsoleAddress) -> bool:
    try:
        return Page(address).get("api/about").status == 200
    except OSError:
        return False

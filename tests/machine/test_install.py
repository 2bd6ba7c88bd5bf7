"""scripts/install.sh on a Debian that is booted with systemd, against the embedded AWS of the host."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import nspawn
import pytest
from e2e_stack import Stack, make_zip, small_chalice
from image_machine import REPOSITORY, need_machine
from index_environ import index_environ

from auto_lambda_cli.local_stack.embedded import EmbeddedAws
from auto_lambda_cli.local_stack.stack import deploy_pipeline
from auto_lambda_cli.running_stacks import RunningStack

SOURCES = "/srv/auto-lambda"
SERVICES = ("autolambda-worker", "autolambda-checker")


@pytest.fixture
def pipeline(tmp_path: Path) -> Iterator[RunningStack]:
    with EmbeddedAws.start(tmp_path / "aws") as aws:
        yield deploy_pipeline(aws, tmp_path / "aws")


@pytest.fixture
def box(tmp_path: Path) -> Iterator[nspawn.Machine]:
    """A bare machine with our sources on it."""
    need_machine()
    with nspawn.booted(nspawn.debian_root(), tmp_path / "machine") as machine:
        copy_clone(machine.path(SOURCES))
        yield machine
    shutil.rmtree(tmp_path / "machine", ignore_errors=True)


def copy_clone(target: Path) -> None:
    """What a `git clone` would bring, as it is now."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY, capture_output=True, text=True, check=True,
    )  # fmt: skip
    for name in filter(None, listed.stdout.split("\0")):
        if (REPOSITORY / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(REPOSITORY / name, target / name)


def install(box: nspawn.Machine, *arguments: str, script: str = f"{SOURCES}/scripts/install.sh") -> str:
    """Run it as a person would who is logged in; what it said."""
    environ = box.path("/etc/environment").read_text().replace('"', "").splitlines()
    return box.run("env", *environ, "bash", script, *arguments, timeout=900).stdout


def settle(box: nspawn.Machine, pipeline: RunningStack) -> None:
    """What an operator writes into the templates."""
    environ = {**index_environ(), **pipeline.environ, "AUTO_LAMBDA_POLL_SECONDS": "1"}
    for name in ("worker", "checker"):
        file = box.path(f"/etc/auto-lambda/{name}.env")
        file.write_text(file.read_text() + "".join(f"{key}={value}\n" for key, value in environ.items()))


def state(box: nspawn.Machine) -> str:
    """Everything that a second run could change: processes, and every file of ours with its times."""
    pids = box.run("systemctl", "show", "--property=MainPID", *SERVICES).stdout
    return pids + files_of_ours(box, "!", "-path", "/var/cache/*", "-printf", "%p %T@ %C@\n")


def files_of_ours(box: nspawn.Machine, *how: str) -> str:
    listed = box.run(
        "find", "/", "-xdev", "(", "-path", "/proc", "-o", "-path", SOURCES, "-o", "-path", "/var/log", ")",
        "-prune", "-o",
        "(", "-ipath", "*auto-lambda*", "-o", "-ipath", "*autolambda*", "-o", "-nouser", ")",
        *(how or ("-print",)),
    )  # fmt: skip
    return listed.stdout


@pytest.mark.slow
def test_a_bare_machine_becomes_a_worker_and_is_left_as_it_was(box: nspawn.Machine, pipeline: RunningStack) -> None:
    said = install(box)
    assert "autolambda-worker is not started: /etc/auto-lambda/worker.env is not complete" in said
    assert "AUTO_LAMBDA_QUEUE_URL is not set" in said
    assert box.run("stat", "--format=%a", "/etc/auto-lambda/worker.env").stdout == "640\n"

    settle(box, pipeline)
    newer = box.path(f"{SOURCES}/README.md")
    newer.write_text(f"{newer.read_text()}\nNewer.\n")
    said = install(box)
    assert box.run("stat", "--format=%a", "/etc/auto-lambda/worker.env").stdout == "640\n"  # after an upgrade, too
    assert all(f"{service} is running\n" in said for service in SERVICES)
    stack = Stack(pipeline.ready_line(), {})
    live = stack.live(stack.drop("boxed", make_zip(small_chalice())))
    assert stack.http(live["url"]).json == {"hello": "world"}

    before = state(box)
    said = install(box)
    assert all(f"{service} is running, nothing has changed" in said for service in SERVICES)
    assert state(box) == before

    assert "are kept" in install(box, "--uninstall")
    kept = {
        "/etc/auto-lambda",
        "/etc/auto-lambda/README",
        "/etc/auto-lambda/worker.env",
        "/etc/auto-lambda/checker.env",
    }
    assert set(files_of_ours(box).splitlines()) == kept
    install(box, "--uninstall", "--purge")
    assert files_of_ours(box) == ""
    assert box.run("systemctl", "list-units", "--all", "--plain", "--no-legend", "autolambda*").stdout == ""

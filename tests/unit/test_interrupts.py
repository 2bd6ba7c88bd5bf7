"""SIGINT stops our programs and tests even when a shell has started them with SIGINT ignored."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
IGNORING = ("sh", "-c", 'trap "" INT; exec "$@"', "sh")
PACKER = """#!/bin/sh
[ "$1" = version ] && { echo Packer v1.6.6; exit; }
trap 'echo cleaned up >> cleaned; exit 1' INT
echo $$ > "$PIPE"
while :; do sleep 0.05; done
"""
ENDLESS = """
import os, pathlib, time
def test_endless():
    pathlib.Path(os.environ["PIPE"]).write_text("busy")
    time.sleep(250)
"""


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    """Blocks a reader until the program that was started is busy."""
    path = tmp_path / "busy"
    subprocess.run(["mkfifo", str(path)], check=True)
    return path


def interrupted(command: list[str], pipe: Path, environ: dict[str, str]) -> int:
    """The exit code after a SIGINT to the process alone, not to its group: its own reaction counts."""
    with subprocess.Popen(command, env={**environ, "PIPE": str(pipe)}, cwd=pipe.parent) as process:
        try:
            pipe.read_text()
            process.send_signal(signal.SIGINT)
            return process.wait(60)
        finally:
            process.kill()


def test_the_command_line_and_the_packer_that_it_runs(tmp_path: Path, pipe: Path) -> None:
    packer = tmp_path / "packer"
    packer.write_text(PACKER)
    packer.chmod(0o755)
    command = [
        *IGNORING,
        str(Path(sys.executable).with_name("auto-lambda")),
        "ami",
        "validate",
        "--packer",
        str(packer),
    ]
    assert interrupted(command, pipe, {"PATH": "/usr/bin:/bin"}) == 130
    assert (tmp_path / "cleaned").read_text() == "cleaned up\n"


def test_a_test_that_interrupts_itself() -> None:
    test = "tests/unit/ami/test_packer.py::test_ctrl_c_lets_packer_clean_up"
    command = [*IGNORING, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", test]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_a_run_of_tests(tmp_path: Path, pipe: Path) -> None:
    endless = tmp_path / "test_endless.py"
    endless.write_text(ENDLESS)
    shared = ["-p", "conftest", "-c", str(ROOT / "pyproject.toml"), "--rootdir", str(tmp_path)]
    command = [*IGNORING, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *shared, str(endless)]
    assert interrupted(command, pipe, {"PYTHONPATH": str(ROOT / "tests")}) == pytest.ExitCode.INTERRUPTED


def test_what_make_runs(tmp_path: Path) -> None:
    rule = tmp_path / "probe.mk"
    rule.write_text(f"probe:\n\t@{sys.executable} -c 'import signal; print(signal.getsignal(signal.SIGINT))'\n")
    command = [*IGNORING, "make", "-s", "-f", "Makefile", "-f", str(rule), "probe"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "default_int_handler" in done.stdout

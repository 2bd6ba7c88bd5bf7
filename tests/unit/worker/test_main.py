"""The worker refuses to start with settings that cannot work."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from worker.__main__ import main


def test_all_problems_with_the_settings_are_told_at_start(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in list(os.environ):
        if name.startswith("AUTO_LAMBDA_") or name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AUTO_LAMBDA_SLOTS", "none")
    assert main() == 2
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 7
    assert all(line.startswith("auto-lambda worker: ") for line in told)


def test_without_bubblewrap_the_process_ends_and_says_what_to_install(tmp_path: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "AUTO_LAMBDA_"))}
    environ = {
        **kept,
        "PATH": str(tmp_path),  # there are no programs
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AUTO_LAMBDA_QUEUE_URL": "http://127.0.0.1:9/123456789012/drops",
        "AUTO_LAMBDA_UPLOADS_BUCKET": "my-uploads",
        "AUTO_LAMBDA_ARTIFACTS_BUCKET": "my-artifacts",
        "AUTO_LAMBDA_TABLE": "ledger",
        "AUTO_LAMBDA_BOUNDARY_ARN": "arn:aws:iam::123456789012:policy/boundary",
        "AUTO_LAMBDA_WORK_DIR": str(tmp_path / "work"),
        "AUTO_LAMBDA_CACHE": str(tmp_path / "cache"),
    }
    done = subprocess.run(
        [sys.executable, "-m", "worker"], env=environ, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2, done.stderr
    assert "bubblewrap is not installed: `apt-get install bubblewrap` or `dnf install bubblewrap`" in done.stderr
    assert "AUTO_LAMBDA_SANDBOX=off" in done.stderr


def test_help_needs_no_settings() -> None:
    done = subprocess.run([sys.executable, "-m", "worker", "--help"], capture_output=True, text=True, check=False)
    assert (done.returncode, "auto-lambda worker --help" in done.stdout) == (0, True), done.stderr

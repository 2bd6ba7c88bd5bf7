"""The worker refuses to start with settings that cannot work."""

from __future__ import annotations

import os

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

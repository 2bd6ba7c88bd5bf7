"""The region and credentials that clients of a fake AWS find in their environment."""

from __future__ import annotations

import pytest


def set_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set a region, and credentials that are none."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")

"""The command line in this process, against a bucket of moto."""

from __future__ import annotations

from typing import Any

from typer.testing import CliRunner, Result

from auto_lambda_cli.app import app

BUCKET = "uploads"
RECEIPT: dict[str, Any] = {
    "schema": 1, "app": "shop", "stage": "dev", "status": "live", "step": "verify", "url": "https://shop.example/",
    "function": "shop-dev", "version": "3", "error": None, "warnings": ["a setting is ignored"],
    "updated": "2026-01-02T03:04:05.678+00:00",
}  # fmt: skip


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))

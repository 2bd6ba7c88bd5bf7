"""``auto-lambda worker`` and ``auto-lambda checker``."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer


def worker() -> None:
    """Run a worker in the foreground.

    Its settings are AUTO_LAMBDA_* in the environment: docs/reference/settings.md
    """
    _become("worker")


def checker(
    once: Annotated[bool, typer.Option("--once", help="Take and publish one sample, print it, and end.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print samples as JSON, one per line.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print samples instead of publishing them.")] = False,
) -> None:
    """Run the checker in the foreground.

    It samples the queue, the worker group and the ledger, and publishes the metrics that the fleet scales by to
    CloudWatch. Its settings are AUTO_LAMBDA_* in the environment: docs/reference/settings.md
    """
    chosen = {"--once": once, "--json": as_json, "--dry-run": dry_run}
    _become("checker", *(name for name, wanted in chosen.items() if wanted))


def _become(module: str, *arguments: str) -> None:
    """Replace this process with a daemon, which needs none of the command line's memory."""
    os.execv(sys.executable, [sys.executable, "-m", module, *arguments])  # noqa: S606 - no shell is wanted

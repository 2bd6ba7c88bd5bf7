"""Runs code with the compiler's own Python, after one of the scripts that run there."""

from __future__ import annotations

import subprocess
from pathlib import Path

from auto_lambda.tools import ToolEnvironments


def run_after(script: Path, code: str) -> str:
    """Import a script as a module, run code, and return what it prints.

    Raises:
        AssertionError: with what was written to stderr, if that fails.
    """
    start = f"import sys; sys.path.insert(0, {str(script.parent)!r}); import {script.stem}; "
    command = [str(ToolEnvironments().python("compiler", "3.12")), "-I", "-B", "-c", f"{start}{code}"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()

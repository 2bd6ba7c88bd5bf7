"""What tasks run is complete: a process that has nothing else serves with it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from worker.deploy.flex.packing import pack_entrypoint


def test_it_is_written_the_same_each_time(tmp_path: Path) -> None:
    before = pack_entrypoint(tmp_path).read_bytes()
    assert pack_entrypoint(tmp_path).read_bytes() == before


@pytest.mark.parametrize("module", ["entrypoint.serving", "uvicorn", "a2wsgi"])
def test_what_serves_is_found_in_it(tmp_path: Path, module: str) -> None:
    program = f"import sys; sys.path.insert(0, sys.argv[1]); import {module} as it; print(it.__file__)"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program, pack_entrypoint(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith(str(tmp_path))

"""Compiles the modules of a layer ahead of time, so that no cold start has to: Lambda can't write what it compiles."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from worker.build.sandbox import Command, Limits, Sandbox
from worker.build.uv import Target

_LIMITS = Limits(wall=300, cpu=600)
_SHIPPED_AT = "/opt/python"
# Packages' own tests are a third of the bytes, and nothing imports them in production.
_LEFT_OUT = r"/tests?/"


def compile_tree(sandbox: Sandbox, site: Path, target: Target) -> bool:
    """Put bytecode beside the modules of a folder; False, and none, where the compiler itself failed.

    The result is the same wherever and whenever it is made: unchecked hashes instead of dates, names as on Lambda.
    Compiling executes nothing, yet parsing strangers' files may take the parser down: so it runs in the sandbox.
    Modules with mistakes (templates, code for other Pythons) are left as they are.
    """
    argv = (
        str(target.interpreter), "-I", "-W", "ignore", "-m", "compileall", "-qq", "-j", "0",
        "--invalidation-mode", "unchecked-hash", "-x", _LEFT_OUT, "-s", str(site), "-p", _SHIPPED_AT, str(site),
    )  # fmt: skip
    readable = (target.interpreter.parents[1],)
    outcome = sandbox.run(Command(argv, site, {}, readable, (site,), limits=_LIMITS), lambda _: None)
    if outcome.returncode in (0, 1) and not outcome.stopped:
        return True
    drop(site)
    return False


def drop(site: Path) -> None:
    """Remove all bytecode."""
    for folder in list(_folders(site)):
        shutil.rmtree(folder)


def _folders(site: Path) -> Iterator[Path]:
    return (Path(path) for path, _, _ in os.walk(site) if Path(path).name == "__pycache__")

"""Compiles the modules of a layer ahead of time, so that no cold start has to: Lambda can't write what it compiles."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from worker.build.sandbox import Command, Limits, Sandbox
from worker.build.uv import Target

_AT_ONCE = 2
_LIMITS = Limits(wall=300, cpu=600)
_SHIPPED_AT = "/opt/python"
# Packages' own tests are a third of the bytes, and nothing imports them in production.
_LEFT_OUT = r"/(.*/)?tests?/"


def compile_tree(sandbox: Sandbox, site: Path, target: Target) -> bool:
    """Put bytecode beside the modules of a folder; False, and none, where the compiler itself failed.

    The result is the same wherever and whenever it is made: unchecked hashes instead of dates, names as on Lambda.
    Compiling executes nothing, yet parsing strangers' files may take the parser down: so it runs in the sandbox.
    Modules with mistakes (templates, code for other Pythons) are left as they are.
    """
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        halves = [half for half in _halves(site) if half]
        if all(pool.map(lambda half: _compiled(sandbox, site, half, target), halves)):
            return True
    drop(site)
    return False


def _compiled(sandbox: Sandbox, site: Path, entries: list[Path], target: Target) -> bool:
    argv = (
        str(target.interpreter), "-I", "-W", "ignore", "-m", "compileall", "-qq",
        "--invalidation-mode", "unchecked-hash", "-x", re.escape(str(site)) + _LEFT_OUT,
        "-s", str(site), "-p", _SHIPPED_AT, *map(str, entries),
    )  # fmt: skip
    outcome = sandbox.run(
        Command(argv, site, {}, (target.interpreter.parents[1],), (site,), limits=_LIMITS), lambda _: None
    )
    # It exits with 1 for every module with a mistake, in silence: whatever it says is of its own failure.
    return outcome.returncode in (0, 1) and not outcome.stopped and not outcome.output


def _halves(site: Path) -> tuple[list[Path], ...]:
    """The folders and modules, dealt out so that each core has about the same to do."""
    sizes = {entry: _bytes_of_modules(entry) for entry in sorted(site.iterdir())}
    halves: tuple[list[Path], ...] = tuple([] for _ in range(_AT_ONCE))
    loads = [0] * _AT_ONCE
    for entry, size in sorted(sizes.items(), key=lambda item: -item[1]):
        if size:
            least = loads.index(min(loads))
            loads[least] += size
            halves[least].append(entry)
    return halves


def _bytes_of_modules(entry: Path) -> int:
    if entry.is_dir():
        return sum(path.stat().st_size for path in entry.rglob("*.py"))
    return entry.stat().st_size if entry.suffix == ".py" else 0


def drop(site: Path) -> None:
    """Remove all bytecode."""
    for folder in list(_folders(site)):
        shutil.rmtree(folder)


def _folders(site: Path) -> Iterator[Path]:
    return (Path(path) for path, _, _ in os.walk(site) if Path(path).name == "__pycache__")

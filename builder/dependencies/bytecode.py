"""Compile the modules of a layer ahead of time: Lambda cannot keep what it compiles, so every cold start would."""

from __future__ import annotations

import heapq
import os
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from builder.dependencies.uv import BuildTarget
from builder.sandbox.sandbox import Command, Limits, Sandbox

_LIMITS = Limits(wall=300, cpu=600)
_PATH_ON_LAMBDA = "/opt/python"
# Packages' own tests are a third of the bytes, and nothing imports them in production. Frameworks bring setuptools for
# their command line; it would be a tenth of pandas' compilation, a third of chalice's.
_SKIPPED_FOLDERS = frozenset({"test", "tests", "setuptools"})


def compile_tree(sandbox: Sandbox, site: Path, target: BuildTarget) -> bool:
    """Write bytecode beside the modules of a folder; return False, and write none, if the compiler itself failed.

    The result is the same wherever and whenever it is made: unchecked hashes instead of dates, names as on Lambda.
    Compiling executes nothing, but untrusted files may crash the parser, so it runs in the sandbox.
    Modules with mistakes (templates, code for other Pythons) are left as they are.
    """
    shares = [share for share in _balanced_shares(site, len(os.sched_getaffinity(0))) if share]
    if not shares:
        return True
    with ThreadPoolExecutor(len(shares)) as pool:
        if all(pool.map(lambda share: _compile_modules(sandbox, site, share, target), shares)):
            return True
    drop(site)
    return False


def _compile_modules(sandbox: Sandbox, site: Path, modules: list[Path], target: BuildTarget) -> bool:
    with tempfile.NamedTemporaryFile("w", prefix="modules-", suffix=".txt") as listed:
        listed.writelines(f"{module}\n" for module in modules)
        listed.flush()
        argv = (
            str(target.interpreter), "-I", "-W", "ignore", "-m", "compileall", "-qq",
            "--invalidation-mode", "unchecked-hash", "-s", str(site), "-p", _PATH_ON_LAMBDA, "-i", listed.name,
        )  # fmt: skip
        readable = (target.interpreter.parents[1], Path(listed.name))
        outcome = sandbox.run(Command(argv, site, {}, readable, (site,), limits=_LIMITS), lambda _: None)
    # It exits with 1 and prints nothing for modules with mistakes: any output is of its own failure.
    return outcome.returncode in (0, 1) and not outcome.stopped and not outcome.output


def _balanced_shares(site: Path, count: int) -> list[list[Path]]:
    """Deal the modules out so that each core has about the same work: the largest first, to the emptiest share."""
    sizes = {module: module.stat().st_size for module in _modules(site)}
    shares: list[list[Path]] = [[] for _ in range(count)]
    loads = [(0, number) for number in range(count)]
    for module, size in sorted(sizes.items(), key=lambda item: (-item[1], item[0])):
        load, number = loads[0]
        shares[number].append(module)
        heapq.heapreplace(loads, (load + size, number))
    return shares


def _modules(site: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(site):
        folders[:] = [name for name in folders if name not in _SKIPPED_FOLDERS]
        # A line of the list is a path: a name with a line break in it would be two.
        yield from (Path(folder, name) for name in files if name.endswith(".py") and name.isprintable())


def drop(site: Path) -> None:
    """Remove all bytecode."""
    for folder in list(_bytecode_folders(site)):
        shutil.rmtree(folder)


def _bytecode_folders(site: Path) -> Iterator[Path]:
    return (Path(path) for path, _, _ in os.walk(site) if Path(path).name == "__pycache__")

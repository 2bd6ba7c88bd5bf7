"""Every test on disk is run by the README's command: no configuration, folder name or pattern may hide one."""

from __future__ import annotations

import ast
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
TESTS = ROOT / "tests"
_NODE = re.compile(r"(?P<file>tests/\S+?\.py)::(?:\w+::)*(?P<name>\w+)(?:\[.*)?")


def written() -> set[tuple[str, str]]:
    """Each test function on disk, by file and name; files that `git` ignores are no tests of ours."""
    return {
        (str(path.relative_to(ROOT)), node.name)
        for path in TESTS.rglob("*.py")
        if path.name.startswith("test_") or path.name.endswith("_test.py")
        for node in functions(ast.parse(path.read_text()))
        if node.name.startswith("test")
    }


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef]:
    """Those of the module and of its classes, not those inside other functions."""
    for node in tree.body:
        members = node.body if isinstance(node, ast.ClassDef) and node.name.startswith("Test") else [node]
        yield from (member for member in members if isinstance(member, ast.FunctionDef))


def commands(target: str) -> list[list[str]]:
    """The calls of pytest that a Make target comes to."""
    lines = subprocess.run(
        ["make", "--dry-run", "--no-print-directory", target], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    words = [shlex.split(line) for line in lines if "/pytest " in line]
    return [line[next(at for at, word in enumerate(line) if word.endswith("/pytest")) + 1 :] for line in words]


def collected(target: str) -> set[tuple[str, str]]:
    """Each test function that a Make target runs."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    found: set[tuple[str, str]] = set()
    for arguments in commands(target):
        listed = subprocess.run(
            [sys.executable, "-m", "pytest", *arguments, "-n", "0", "--collect-only", "-q", "-p", "no:cacheprovider"],
            cwd=ROOT, env=environ, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert listed.returncode == 0, listed.stdout[-3000:] + listed.stderr[-3000:]
        found |= names(listed.stdout)
    return found


def names(listing: str) -> set[tuple[str, str]]:
    return {(match["file"], match["name"]) for line in listing.splitlines() if (match := _NODE.match(line))}


def test_whatever_is_written_is_run() -> None:
    run = collected("test")
    slow = collected("image-test") - run  # the long ladder has a target of its own, and its tests say so
    assert sorted(written() - run - slow) == []
    assert {file for file, _ in slow} <= {file for file, _ in written() if "mark.slow" in (ROOT / file).read_text()}

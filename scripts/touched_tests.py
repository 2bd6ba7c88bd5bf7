#!/usr/bin/env python3
"""Print the unit tests that mirror changed files: those named as arguments, by default all that differ from main."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
UNIT = ROOT / "tests" / "unit"
PACKAGES = ("worker", "builder", "checker", "ami", "auto_lambda", "auto_lambda_cli", "entrypoint", "infra", "apps")
ALWAYS = UNIT / "test_house.py"


def main(arguments: list[str]) -> int:
    """Print one path a line, relative to the root."""
    found = {test for name in arguments or changed() for test in tests_of(Path(name))}
    for test in sorted({*found, ALWAYS}):
        print(test.relative_to(ROOT))
    return 0


def changed() -> list[str]:
    """Files that differ from where this branch left main, new ones and uncommitted changes among them."""
    names = git("diff", "--name-only", "--diff-filter=d", base()) + git("ls-files", "--others", "--exclude-standard")
    return [name for name in names if name]


def base() -> str:
    """The newest commit that this branch shares with main, here or at the origin."""
    shared = [commit for main in ("main", "origin/main") for commit in git("merge-base", "HEAD", main)]
    return min(shared, key=lambda commit: int(git("rev-list", "--count", f"{commit}..HEAD")[0]), default="HEAD")


def git(*arguments: str) -> list[str]:
    """The lines that git prints; none if it fails."""
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.splitlines()


def tests_of(file: Path) -> Iterator[Path]:
    """The tests of one file."""
    top = file.parts[0]
    if file.suffix == ".md":
        yield UNIT / "test_docs.py"
    elif top == "tests":
        yield from _of_test_code(file)
    elif top in PACKAGES:
        yield from _mirrored(UNIT / file.parent, file.stem)


def _mirrored(folder: Path, stem: str) -> Iterable[Path]:
    own = [*folder.glob(f"test_{stem}.py"), *folder.glob(f"test_{stem}_*.py")]
    if own:
        return own
    while not (near := list(folder.glob("test_*.py"))) and folder != UNIT:
        folder = folder.parent
    return near if folder != UNIT else []


def _of_test_code(file: Path) -> Iterable[Path]:
    """A test itself; the tests beside and below a conftest.py; the unit tests that import what several tests share."""
    path = ROOT / file
    if file.name.startswith("test_"):
        return [path] if path.is_relative_to(UNIT) else []
    if file.name == "conftest.py":
        return path.parent.rglob("test_*.py") if path.parent not in (UNIT, *UNIT.parents) else []
    return [test for test in UNIT.rglob("test_*.py") if f"from {file.stem} import" in test.read_text()]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

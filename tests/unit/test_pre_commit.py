"""The hooks of .pre-commit-config.yaml, in a repository of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SLOW = "imports,mypy"  # they look at the whole tree, as `make lint` and `make types` do


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
    for name in (".pre-commit-config.yaml", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    (folder / ".venv").symlink_to(sys.prefix)
    return folder


def hooks(repository: Path, name: str, text: str) -> subprocess.CompletedProcess[str]:
    (repository / name).write_text(text)
    subprocess.run(["git", "add", name, ".pre-commit-config.yaml"], cwd=repository, check=True)
    home = repository.parent / "home"
    return subprocess.run(
        [Path(sys.prefix, "bin", "pre-commit"), "run", "--files", name, "--color", "never"],
        cwd=repository, env={**os.environ, "SKIP": SLOW, "PRE_COMMIT_HOME": str(home)}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "text", "failed"),
    [
        ("good.py", '"""Good."""\n', []),
        ("unused.py", '"""Bad."""\n\nimport os\n', ["ruff check"]),
        ("crooked.py", '"""Bad."""\n\nnumbers = [1,2]\n', ["ruff format"]),
        ("bad.sh", "#!/bin/bash\nif true; then\n", ["shell syntax"]),
    ],
)
def test_a_hook_stops_what_make_lint_would(repository: Path, name: str, text: str, failed: list[str]) -> None:
    done = hooks(repository, name, text)
    told = [line.split("....")[0] for line in done.stdout.splitlines() if line.endswith("Failed")]
    assert (told, done.returncode) == (failed, 1 if failed else 0), done.stdout


def test_every_hook_runs_a_program_of_the_environment() -> None:
    entries = [
        line.split("entry:")[1].split()[0]
        for line in (ROOT / ".pre-commit-config.yaml").read_text().splitlines()
        if "entry:" in line
    ]
    programs = [Path(sys.prefix, entry.removeprefix(".venv/")) for entry in entries if entry.startswith(".venv/")]
    assert len(programs) == len(entries) - 1  # and bash
    assert [program for program in programs if not program.is_file()] == []

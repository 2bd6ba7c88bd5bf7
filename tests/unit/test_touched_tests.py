"""Which tests `make check` runs for a change."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "touched_tests.py"


def touched(*arguments: str, script: Path = SCRIPT) -> set[str]:
    done = subprocess.run([sys.executable, script, *arguments], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()) - {"tests/unit/test_house.py"}


@pytest.mark.parametrize(
    ("file", "tests"),
    [
        ("worker/consumer/inbox.py", {"tests/unit/worker/consumer/test_inbox.py"}),
        ("tests/unit/test_house.py", set()),  # always run
        ("tests/unit/auto_lambda/test_keys.py", {"tests/unit/auto_lambda/test_keys.py"}),
        ("tests/e2e/test_cli.py", set()),
        ("docs/README.md", {"tests/unit/test_docs.py"}),
        ("scripts/setup.sh", set()),
    ],
)
def test_a_file_has_the_tests_that_mirror_it(file: str, tests: set[str]) -> None:
    assert touched(file) == tests


def test_a_module_without_tests_of_its_own_has_those_of_its_folder() -> None:
    found = touched("auto_lambda_cli/app.py")
    assert "tests/unit/auto_lambda_cli/test_packing.py" in found
    assert {str(Path(test).parent) for test in found} == {"tests/unit/auto_lambda_cli"}


def test_what_tests_share_has_the_unit_tests_that_import_it() -> None:
    assert "tests/unit/worker/records/test_ledger.py" in touched("tests/support/tables.py")


def test_changes_are_counted_from_where_the_branch_left_main(tmp_path: Path) -> None:
    def git(*arguments: str) -> None:
        who = ("-c", "user.name=someone", "-c", "user.email=someone@example.com")
        subprocess.run(["git", *who, *arguments], cwd=tmp_path, capture_output=True, check=True)

    def write(name: str) -> None:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"{name}\n")

    for name in ("ami/a.py", "ami/b.py", "ami/c.py", "ami/d.py"):
        write(f"tests/unit/ami/test_{Path(name).name}")
    write("ami/a.py")
    script = tmp_path / "scripts" / "touched_tests.py"
    script.parent.mkdir()
    script.write_text(SCRIPT.read_text())
    git("init", "--initial-branch", "main")
    git("add", ".")
    git("commit", "--message", "main")
    git("switch", "--create", "branch")
    write("ami/b.py")
    git("add", ".")
    git("commit", "--message", "branch")
    write("ami/c.py")
    git("add", "ami/c.py")
    write("ami/d.py")
    assert touched(script=script) == {f"tests/unit/ami/test_{letter}.py" for letter in "bcd"}

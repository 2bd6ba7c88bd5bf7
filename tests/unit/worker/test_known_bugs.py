"""The page that says why nothing is lost names the tests of the known bugs: all of them, and none that is not there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_each_of_the_nine_known_bugs_has_named_tests_and_its_row() -> None:
    page = (ROOT / "docs/explanation/why-nothing-is-lost.md").read_text()
    rows = dict(re.findall(r"^\| (\d) \|.*\| (`test_.*`) \|$", page, re.MULTILINE))
    named = {number: set(re.findall(r"`(test_\w+)`", tests)) for number, tests in rows.items()}
    source = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    there: dict[str, set[str]] = {}
    for test, number in re.findall(r"^def (test_known_bug_(\d)_\w+)", source, re.MULTILINE):
        there.setdefault(number, set()).add(test)
    assert named == there
    assert sorted(named) == [str(number) for number in range(1, 10)]

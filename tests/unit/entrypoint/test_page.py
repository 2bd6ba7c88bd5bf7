"""The page about tasks says what the program does, and what the comparison of both fronts has found."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from two_fronts.apps import APPS
from two_fronts.asking import requests
from two_fronts.differences import EMBEDDED, ON_AWS, table

from entrypoint.failures import ExitStatus
from entrypoint.place import OURS
from entrypoint.task import HEALTH_PATH, MOST_CHARACTERS

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/reference/tasks.md").read_text()


def test_both_tables_of_differences_are_those_that_the_comparison_reads() -> None:
    assert table(ON_AWS) in PAGE
    assert table(EMBEDDED, "embedded AWS | a task, and API Gateway") in PAGE


def test_the_number_of_requests_is_that_of_the_comparison() -> None:
    assert f"sends {sum(len(list(requests(app.name))) for app in APPS)} requests to both fronts" in PAGE


def test_every_exit_code_is_explained() -> None:
    rows = re.findall(r"^\| (\d+) \| `(\w+)`", PAGE, re.MULTILINE)
    assert rows == [(str(one.value), one.name.lower()) for one in ExitStatus]


def test_every_event_of_the_log_is_explained() -> None:
    said = {
        event
        for path in (ROOT / "entrypoint").rglob("*.py")
        for event in re.findall(r'\bsay\(\s*"([\w-]+)"', path.read_text())
    }
    explained = set(re.findall(r"`([\w-]+)`", PAGE.partition("## Logs")[2].partition("## Exit codes")[0]))
    assert said
    assert said <= explained


@pytest.mark.parametrize("text", [*sorted(OURS), f"`{HEALTH_PATH}`", f"{MOST_CHARACTERS:,}"])
def test_names_and_limits_are_those_of_the_program(text: str) -> None:
    assert text in PAGE

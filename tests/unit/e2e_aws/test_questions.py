"""Each question of docs/reference/not-yet-on-aws.md names the stage that asks it, or says why none does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from e2e_aws.stages import STAGES

PAGE = (Path(__file__).parents[3] / "docs/reference/not-yet-on-aws.md").read_text()
ASKED = re.compile(r"`(\w+)`: ((?:`[a-z0-9-]+`(?:, )?)+)")
NOT_ASKED = re.compile(r"Not asked: [^|]{20,}")
ROWS = [line for line in PAGE.splitlines() if line.startswith("| ")][1:]
BULLETS = [
    one.split("\n\n")[0] for one in re.split(r"^- ", PAGE.partition("## Permissions")[2], flags=re.MULTILINE)[1:]
]
QUESTIONS = [*(row.rstrip(" |").rpartition(" | ")[2] for row in ROWS), *BULLETS]
KNOWN = {(stage.name, question) for stage in STAGES for question in stage.questions}


def asked(text: str) -> set[tuple[str, str]]:
    return {(stage, name) for stage, names in ASKED.findall(text) for name in re.findall(r"[a-z0-9-]+", names)}


def test_the_page_has_its_table_and_its_lists() -> None:
    assert len(ROWS) > 15
    assert len(BULLETS) > 15


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_question_names_its_stage_or_says_why_it_is_not_asked(question: str) -> None:
    assert asked(question) or NOT_ASKED.search(question)
    assert asked(question) <= KNOWN


def test_what_a_stage_answers_is_a_question_of_the_page() -> None:
    assert {one for question in QUESTIONS for one in asked(question)} == KNOWN

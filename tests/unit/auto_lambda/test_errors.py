"""What the journal keeps of an error, and what becomes of texts that it never wrote."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auto_lambda.errors import AppError, Code, brief


@given(st.sampled_from(Code), st.text(max_size=300), st.text(max_size=300), st.text(max_size=300))
def test_an_error_comes_back_from_its_text(code: Code, message: str, hint: str, log: str) -> None:
    back = AppError.of(AppError(code, message, hint=hint, function_log=log).text())
    assert back
    assert (back.code, back.message, back.hint, back.function_log) == (code, message, hint, log)


def test_a_long_message_fits_into_an_item_of_the_table() -> None:
    assert len(AppError(Code.UNHEALTHY, "é" * 10**6, hint="", function_log="é" * 10**6).text()) < 300_000


@pytest.mark.parametrize("text", ["", "[]", "7", "{}", '{"code": "of-another-age", "message": "", "hint": ""}'])
def test_a_text_of_another_age_is_none(text: str) -> None:
    assert AppError.of(text) is None


def test_every_code_has_a_section_in_the_reference_and_no_other() -> None:
    page = (Path(__file__).parents[3] / "docs" / "reference" / "errors.md").read_text("utf-8")
    assert sorted(re.findall(r"^### `([a-z0-9-]+)`$", page, re.MULTILINE)) == sorted(Code)


RAISED = 'Traceback (most recent call last):\n  File "app.py", line 3, in <module>\n    DB = {}["DB"]\nKeyError: \'DB\''


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("app.py cannot be imported:\n  No module named 'x'", "app.py cannot be imported: No module named 'x'"),
        (f"app.py cannot be imported:\n{RAISED}", "app.py cannot be imported: KeyError: 'DB'"),
        (f"500:\n{RAISED}\n\nDuring that:\n\n{RAISED.replace('KeyError', 'ValueError')}", "500: ValueError: 'DB'"),
        ("Traceback (most recent call last):", ""),
        (f"{RAISED}\nfield required", "KeyError: 'DB' field required"),
    ],
)
def test_a_message_is_told_in_brief_to_its_point(message: str, words: str) -> None:
    assert brief(message) == words


def test_a_traceback_of_any_depth_leaves_room_for_what_was_raised() -> None:
    frames = '  File "app.py", line 3, in work\n    work()\n' * 100
    told = brief(f"GET / was answered 500:\nTraceback (most recent call last):\n{frames}TypeError: no app")
    assert told == "GET / was answered 500: TypeError: no app"
    assert len(brief("many words " * 100)) <= 300

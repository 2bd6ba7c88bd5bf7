"""The exception that a program has printed, in whichever way."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.proof.printed import last_exception
from builder.proof.verdict import ExceptionReport


def printed(code: str) -> ExceptionReport:
    """What the last exception of a program is told to be."""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    found = last_exception(f"asked\n{ended.stderr}ended\n", "health")
    assert found, ended.stderr
    return found


def test_an_exception_has_its_type_message_and_frames() -> None:
    found = printed("def f():\n    return 1 + None\nf()")
    assert (found.where, found.type, found.origins) == ("health", "TypeError", ["builtins"])
    assert found.message == "unsupported operand type(s) for +: 'int' and 'NoneType'"
    assert found.traceback.startswith("Traceback (most recent call last):\n  File ")
    assert found.traceback.endswith(found.message)


@pytest.mark.parametrize("how", ["from error", ""])
def test_the_causes_are_told_with_it(how: str) -> None:
    found = printed(
        f"import json\ntry:\n    json.loads('(')\nexcept ValueError as error:\n    raise KeyError('COLOR') {how}"
    )
    assert found.type == "KeyError"
    assert found.types == ["JSONDecodeError", "KeyError"]
    assert found.origins == ["builtins", "json"]
    assert found.messages == ["'COLOR'", "Expecting value: line 1 column 1 (char 0)"]
    assert "JSONDecodeError" in found.traceback


def test_of_two_that_have_nothing_to_do_with_each_other_the_last_counts() -> None:
    code = "import traceback\ntry:\n    1 / 0\nexcept Exception:\n    traceback.print_exc()\nraise ValueError('x')"
    found = printed(code)
    assert (found.type, found.types) == ("ValueError", ["ValueError"])
    assert "ZeroDivisionError" not in found.traceback


def test_what_logging_writes_is_read() -> None:
    code = "import logging\ntry:\n    1 / 0\nexcept ZeroDivisionError:\n    logging.exception('on / [GET]')"
    found = printed(code)
    assert (found.type, found.message) == ("ZeroDivisionError", "division by zero")


def test_a_record_right_behind_an_exception_is_none_of_it() -> None:
    text = (
        "Traceback (most recent call last):\n  File \"app.py\", line 1\nKeyError: 'x'[INFO]\t2026-01-02\t1\tGET / 500\n"
    )
    found = last_exception(text, "health")
    assert found
    assert (found.message, found.traceback.splitlines()[-1]) == ("'x'", "KeyError: 'x'")


def test_modules_variables_and_files_are_known_by_name() -> None:
    assert printed("import nobodys_module.part").missing == "nobodys_module"
    assert printed("import os\nos.environ['COLOR']").unset == "COLOR"
    assert printed("{}['COLOR']").unset is None
    found = printed("open('/nowhere/at/all')")
    assert (found.errno, found.file) == (2, "/nowhere/at/all")


def test_a_message_of_several_lines_is_whole() -> None:
    found = printed("raise ValueError('2 problems\\n  first\\n  second')")
    assert found.message == "2 problems\n  first\n  second"


@pytest.mark.parametrize("text", ["", "all is well", "Traceback (most recent call last):", "Traceback (most"])
def test_without_an_exception_there_is_none(text: str) -> None:
    assert last_exception(text, "health") is None


LINES = st.sampled_from([
    "Traceback (most recent call last):", '  File "/var/task/app.py", line 7, in i', "    1 / 0", "KeyError: 'x'", "",
    "During handling of the above exception, another exception occurred:", "a.b.C", "words, and more", "  ~~^~~",
])  # fmt: skip


@given(st.lists(LINES, max_size=20))
def test_whatever_was_printed_can_be_read(lines: list[str]) -> None:
    found = last_exception("\n".join(lines), "health")
    assert found is None or found.type in ("KeyError", "C")


@given(st.text("Traceback (most recent call last):\n File'[Errno]", max_size=300))
def test_no_text_is_too_odd(text: str) -> None:
    last_exception(text, "health")

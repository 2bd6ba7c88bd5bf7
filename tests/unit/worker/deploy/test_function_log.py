"""What of a function's log its author is shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.deploy.function_log import TAIL_BYTES, last_lines

ID = "RequestId: 0f1e2d3c-0000-4000-8000-000000000000"


def test_lambdas_own_lines_are_left_out() -> None:
    log = (
        f"INIT_START Runtime Version: python:3.12.v1\tRuntime Version ARN: arn:x\nSTART {ID} Version: 7\n"
        f"REPORTED the sale\nEND {ID}\nREPORT {ID}\tDuration: 3.2 ms\tBilled Duration: 4 ms\n"
        '{"time":"2026-01-02T12:00:00.000Z","type":"platform.report","record":{}}\n'
    )
    assert last_lines(log) == "REPORTED the sale"


def test_a_traceback_of_the_runtime_client_is_in_lines() -> None:
    log = (
        f"START {ID} Version: 7\n[ERROR] TypeError: no\rTraceback (most recent call last):\r"
        '\xa0\xa0File "/var/task/app.py", line 2, in handler\r\xa0\xa0\xa0\xa0return 1 + None\n'
    )
    assert last_lines(log).splitlines() == [
        "[ERROR] TypeError: no", "Traceback (most recent call last):",
        '  File "/var/task/app.py", line 2, in handler', "    return 1 + None",
    ]  # fmt: skip


def test_a_time_out_is_told() -> None:
    told = "2026-01-02T12:00:00.000Z 0f1e2d3c Task timed out after 3.00 seconds"
    assert last_lines(f"{told}\n\nEND {ID}") == told


def test_the_half_line_that_a_cut_leaves_is_not_shown() -> None:
    assert last_lines(("half a token\n" + "x" * TAIL_BYTES)[:TAIL_BYTES]) == "x" * (TAIL_BYTES - 13)
    assert last_lines("whole\nlog") == "whole\nlog"


@pytest.mark.parametrize("kind", ["", "RSA "])
def test_a_key_without_its_beginning_is_not_shown(kind: str) -> None:
    assert last_lines(f"aGVsbG8=\n-----END {kind}PRIVATE KEY-----\nafter it") == "after it"
    whole = f"before\n-----BEGIN {kind}PRIVATE KEY-----\naGVs\n-----END {kind}PRIVATE KEY-----"
    assert last_lines(whole) == whole


def test_each_record_has_lines_of_its_own() -> None:
    log = "[ERROR]\t2026-01-02T12:00:00.000Z\t0f1e\tno\nTraceback: a\nKeyError: 'x'[INFO]\t2026\t0f1e\tasked\n"
    assert last_lines(log).splitlines()[-2:] == ["KeyError: 'x'", "[INFO]\t2026\t0f1e\tasked"]


@given(st.text(max_size=200))
def test_a_log_of_any_text_can_be_shown(log: str) -> None:
    assert len(last_lines(log)) <= len(log)

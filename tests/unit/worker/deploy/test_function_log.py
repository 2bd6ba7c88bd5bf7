"""What of a function's log its author is shown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from auto_lambda.aws.lambda_ import Answer
from auto_lambda.aws.logs import LogGroups
from worker.deploy.function_log import TAIL_BYTES, FunctionLogs, last_lines

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


GROUP, NOON = "/aws/lambda/shop-dev", datetime(2026, 11, 29, 12, tzinfo=UTC)
CUT = "y" * TAIL_BYTES + "\nthe end"
EVENTS = [f"START {ID} Version: 7\n", "where it began\n", "[ERROR] no\rTraceback\r\xa0\xa0line\n", f"END {ID}\n"]


class Groups(LogGroups):
    """Has the events of one invocation after so many looks."""

    def __init__(self, after: int = 0, error: Exception | None = None) -> None:
        self.after, self.error = after, error
        self.asked: list[tuple[str, str, datetime]] = []

    def of_request(self, group: str, request: str, since: datetime) -> list[str] | None:
        self.asked.append((group, request, since))
        if self.error:
            raise self.error
        return EVENTS if len(self.asked) > self.after else None


def logged(groups: LogGroups | None, log: str = CUT, group: str | None = GROUP, request: str | None = "r1") -> str:
    answer = Answer("RuntimeError", "no", log[-TAIL_BYTES:], request=request)
    return FunctionLogs(groups, sleep=lambda _: None).of(answer, group, NOON)


def test_of_a_log_that_was_cut_the_whole_is_read() -> None:
    groups = Groups()
    assert logged(groups) == "where it began\n[ERROR] no\nTraceback\n  line"
    assert [(group, request) for group, request, _ in groups.asked] == [(GROUP, "r1")]
    assert NOON - timedelta(minutes=5) < groups.asked[0][2] < NOON


def test_a_log_that_is_whole_is_not_read_again() -> None:
    groups = Groups()
    assert logged(groups, "all of it") == "all of it"
    assert groups.asked == []


def test_events_that_come_late_are_waited_for_but_not_for_ever() -> None:
    assert logged(Groups(after=3)).startswith("where it began")
    never = Groups(after=10**6)
    assert logged(never) == "the end"
    assert len(never.asked) == 10


DENIED = ClientError({"Error": {"Code": "AccessDeniedException"}}, "FilterLogEvents")


@pytest.mark.parametrize(
    ("groups", "group", "request_id"),
    [(Groups(error=DENIED), GROUP, "r1"), (None, GROUP, "r1"), (Groups(), None, "r1"), (Groups(), GROUP, None)],
)
def test_what_cannot_be_read_leaves_the_end(groups: Groups | None, group: str | None, request_id: str | None) -> None:
    assert logged(groups, group=group, request=request_id) == "the end"

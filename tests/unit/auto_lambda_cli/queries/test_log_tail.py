from __future__ import annotations

from typing import Any

import boto3
import pytest
from commands import BUCKET
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auto_lambda.aws.s3 import ObjectStore
from auto_lambda_cli.queries.log_tail import LogTail

KEY = "apps/dev/shop.log"


@pytest.fixture
def tail(s3: Any) -> LogTail:
    return LogTail(ObjectStore(boto3.client("s3")), BUCKET, KEY, most=1000)


def write(s3: Any, text: str | bytes) -> None:
    s3.put_object(Bucket=BUCKET, Key=KEY, Body=text if isinstance(text, bytes) else text.encode())


def looked(tail: LogTail) -> tuple[str, bool, int] | None:
    grown = tail.look()
    return (grown.text, grown.reset, grown.cut) if grown else None


def test_what_is_added_is_told_once(s3: Any, tail: LogTail) -> None:
    assert tail.look() is None
    write(s3, "one\n")
    assert looked(tail) == ("one\n", True, 0)
    assert tail.look() is None
    write(s3, "one\ntwo\n")
    assert looked(tail) == ("two\n", False, 0)
    write(s3, "one\ntwo\nthree\n" + "x" * 200)
    assert looked(tail) == ("three\n" + "x" * 200, False, 0)


@pytest.mark.parametrize("other", ["another\n", "uno\ndos\ntres\n", "one\n", ""])
def test_another_log_takes_the_place_of_the_first(s3: Any, tail: LogTail, other: str) -> None:
    write(s3, "one\ntwo\n")
    tail.look()
    write(s3, other)
    assert looked(tail) == (other, True, 0)


def test_a_log_that_is_deleted_is_empty(s3: Any, tail: LogTail) -> None:
    write(s3, "one\n")
    tail.look()
    s3.delete_object(Bucket=BUCKET, Key=KEY)
    assert looked(tail) == ("", True, 0)
    assert tail.look() is None
    write(s3, "two\n")
    assert looked(tail) == ("two\n", True, 0)


def test_of_a_large_log_the_last_whole_lines_are_told(s3: Any, tail: LogTail) -> None:
    lines = "".join(f"line {number:05}\n" for number in range(1000))
    write(s3, lines)
    told = looked(tail)
    assert told
    text, reset, cut = told
    assert reset
    assert len(text) <= 1000
    assert text.startswith("line ")
    assert lines[cut:] == text
    write(s3, lines + "more\n")
    assert looked(tail) == ("more\n", False, 0)


def test_a_log_that_grows_by_much_is_told_from_its_end(s3: Any, tail: LogTail) -> None:
    write(s3, "one\n")
    tail.look()
    write(s3, "one\n" + "two\n" * 1000)
    told = looked(tail)
    assert told
    assert told[1]
    assert len(told[0]) <= 1000


def test_every_byte_of_a_large_log_is_told_to_who_wants_it(s3: Any) -> None:
    tail = LogTail(ObjectStore(s3), BUCKET, KEY, most=1000, whole=True)
    lines = "".join(f"line {number:05}\n" for number in range(1000))
    assert tail.look() is None
    assert not tail.found
    for text in (lines, lines * 2):
        write(s3, text)
        told = list(iter(tail.look, None))
        assert all(len(grown.text) <= 1000 for grown in told if grown)
        assert [grown.reset for grown in told if grown][1:] == [False] * (len(told) - 1)
        assert "".join(grown.text for grown in told if grown) == lines
    write(s3, "another deployment\n")
    assert looked(tail) == ("another deployment\n", True, 0)


def test_a_character_that_comes_in_two_parts_is_whole(s3: Any, tail: LogTail) -> None:
    whole = "Grüße\n".encode()
    write(s3, whole[:3])
    first = looked(tail)
    write(s3, whole)
    second = looked(tail)
    assert first
    assert second
    assert first[0] + second[0] == "Grüße\n"


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(max_size=80), max_size=6))
def test_all_that_was_told_is_the_log(s3: Any, parts: list[bytes]) -> None:
    tail = LogTail(ObjectStore(s3), BUCKET, KEY, most=1000)
    whole, told = b"", ""
    for part in parts:
        whole += part
        write(s3, whole)
        if grown := tail.look():
            told = grown.text if grown.reset else told + grown.text
    kept = told.rstrip("\ufffd")
    assert whole.decode(errors="replace").startswith(kept)

from __future__ import annotations

import json
import traceback
from collections.abc import Callable

import pytest
from linear import assert_linear, repeated

from worker.deploy.cause import cause


def raised(call: Callable[[], object]) -> list[str]:
    """What zappa has of an exception: lines as `traceback.format_exception` gives them."""
    try:
        call()
    except Exception as error:
        return traceback.format_exception(error)
    raise AssertionError


def create_app() -> None:
    """A factory that is called like a WSGI app."""


def handler() -> object:
    return json.mine  # type: ignore[attr-defined]


FACTORY = "TypeError: create_app() takes 0 positional arguments but 2 were given"
QUOTED = "AttributeError: module 'json' has no attribute 'mine'"
LINES = {
    FACTORY: raised(lambda: create_app(1, 2)),  # type: ignore[call-arg]
    QUOTED: raised(handler),
    "ValueError": raised(lambda: (_ for _ in ()).throw(ValueError)),
    "KeyError: 'A: \"b\"'": raised(lambda: dict[str, str]()['A: "b"']),
}


@pytest.mark.parametrize(("last", "lines"), LINES.items(), ids=range(len(LINES)))
def test_zappas_answer_ends_in_the_exception(last: str, lines: list[str]) -> None:
    answer = json.dumps(str({"message": "An uncaught exception happened", "traceback": lines}))
    assert cause(answer) == last


@pytest.mark.parametrize(("last", "lines"), LINES.items(), ids=range(len(LINES)))
def test_a_log_has_it_before_other_lines(last: str, lines: list[str]) -> None:
    log = "START RequestId: 1\n[ERROR] Exception on / [GET]\n" + "".join(lines) + "END RequestId: 1\nREPORT\n"
    assert cause(log) == last


def test_the_end_of_a_log_is_enough() -> None:
    log = "ages ago\n" + "".join(LINES[FACTORY][1:]) + "END RequestId: 1\nREPORT\n"
    assert cause(log) == FACTORY


def test_the_last_of_several_exceptions_counts() -> None:
    first, last = "".join(LINES[FACTORY]), "".join(LINES[QUOTED])
    assert cause(f"{first}\nDuring handling of the above exception, another exception occurred:\n\n{last}") == QUOTED


def test_lines_that_lambda_keeps_together_by_carriage_returns_are_lines() -> None:
    assert cause("[ERROR] x\r" + "".join(LINES[FACTORY]).replace("\n", "\r")) == FACTORY


@pytest.mark.parametrize(
    "text", ["", "<h1>Internal Server Error</h1>", "Traceback (most recent call last):", '{"a": 1}']
)
def test_without_a_traceback_there_is_none(text: str) -> None:
    assert cause(text) is None


def test_the_answer_counts_before_the_log() -> None:
    assert cause("<p>sorry</p>", "".join(LINES[FACTORY])) == FACTORY
    assert cause("".join(LINES[QUOTED]), "".join(LINES[FACTORY])) == QUOTED


@pytest.mark.parametrize("between", ["\\n", "'", " ", "a", "Traceback (most recent call last):\n"])
def test_hostile_answers_take_linear_time(between: str) -> None:
    assert_linear(cause, repeated(between, start="Traceback (most recent call last):\\n"))

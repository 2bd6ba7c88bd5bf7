from __future__ import annotations

from collections.abc import Iterator

import pytest

from auto_lambda.errors import AppError, Code
from builder.source.problems import Problems


def error(message: str, hint: str = "Mend it.", code: Code = Code.BAD_CONFIG) -> AppError:
    return AppError(code, message, hint=hint)


def fail(problem: AppError) -> None:
    raise problem


def raised(problems: Problems) -> AppError:
    with pytest.raises(AppError) as caught:
        problems.raise_all()
    return caught.value


def test_without_problems_nothing_is_raised() -> None:
    problems = Problems()
    assert problems.attempt(str, 7) == "7"
    problems.raise_all()


def test_a_single_problem_is_raised_as_it_is() -> None:
    problems, only = Problems(), error("x")
    assert problems.attempt(fail, only) is None
    assert raised(problems) is only


def test_several_problems_are_numbered_and_so_are_their_hints() -> None:
    problems = Problems()
    problems.attempt(fail, error("first", "Do this.", Code.UNSUPPORTED_SETTING))
    problems.note([error("second", "Do that."), error("third", "Do this.")])
    both = raised(problems)
    assert both.code == Code.UNSUPPORTED_SETTING
    assert both.message.splitlines()[1:] == ["1. first", "2. second", "3. third"]
    assert both.hint.splitlines() == ["1, 3: Do this.", "2: Do that."]


def test_what_is_told_twice_is_told_once() -> None:
    problems = Problems()
    problems.note([error("same"), error("same")])
    assert raised(problems).message == "same"


def test_looking_for_problems_may_fail_itself() -> None:
    def found() -> Iterator[AppError]:
        yield error("first")
        raise error("second")

    problems = Problems()
    problems.note(found())
    assert [one.message for one in problems.found] == ["first", "second"]


def test_of_very_many_the_first_are_told() -> None:
    problems = Problems()
    problems.note(error(f"number {index}", f"Hint {index}.") for index in range(300))
    both = raised(problems)
    assert "and 280 more" in both.message
    assert len(both.hint.splitlines()) == 21

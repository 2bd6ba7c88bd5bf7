"""Collect what is wrong with an upload, so that its uploader reads all of it at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import ParamSpec, TypeVar

from auto_lambda.errors import AppError, first_lines

_MOST = 20
_P = ParamSpec("_P")
_T = TypeVar("_T")


class Problems:
    """Problems that do not depend on each other."""

    def __init__(self) -> None:
        self.found: list[AppError] = []

    def attempt(self, call: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T | None:
        """Call something; note the problem that it raises, and return None then."""
        try:
            return call(*args, **kwargs)
        except AppError as error:
            self.found.append(error)
            return None

    def note(self, problems: Iterable[AppError]) -> None:
        """Note more problems, and the one that looking for them raises."""
        try:
            for problem in problems:
                self.found.append(problem)
        except AppError as error:
            self.found.append(error)

    def raise_all(self) -> None:
        """Raise them as one error, if there are any.

        Raises:
            AppError: with the code of the first problem, and the message and the hint of each.
        """
        if self.found:
            raise together(self.found)


def together(problems: Iterable[AppError]) -> AppError:
    """Return one error for several problems; its code is the first one's."""
    first, *others = {one.message: one for one in problems}.values()
    if not others:
        return first
    messages = [f"{number}. {one.message}" for number, one in enumerate((first, *others), 1)]
    hints: dict[str, list[str]] = {}
    for number, one in enumerate((first, *others), 1):
        hints.setdefault(one.hint, []).append(str(number))
    told = [f"{', '.join(numbers)}: {hint}" for hint, numbers in hints.items()]
    return AppError(
        first.code,
        "\n".join([f"{len(messages)} problems, all found before anything is built:", *first_lines(messages, _MOST)]),
        hint="\n".join(first_lines(told, _MOST)),
    )

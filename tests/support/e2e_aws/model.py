"""What a run consists of: stages, the questions that they answer, and what they have found."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from e2e_aws.run import Run


class StageFailed(Exception):
    """Something is not as it has to be; the message says what."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The answer to a question. ``answer`` is None if it could not be told, and ``why`` says why."""

    question: str
    answer: str | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of a run.

    Attributes:
        name: for ``--only``, and in docs/reference/not-yet-on-aws.md.
        title: what it does, in a line.
        minutes: how long it takes on AWS, about.
        cents: what that costs, at most.
        needs: the stages before it, whose work it uses.
        questions: of docs/reference/not-yet-on-aws.md, by name; it has to find something about each.
        do: does it, and yields what it has found.
        rehearsed: whether the embedded AWS has what it needs.
        wants: variables of the environment without which an account is not asked.
        again: whether a resumed run does it again, since later stages use it.
    """

    name: str
    title: str
    minutes: int
    cents: int
    needs: tuple[str, ...]
    questions: tuple[str, ...]
    do: Callable[[Run], Iterable[Finding]]
    rehearsed: bool = True
    again: bool = False
    wants: tuple[str, ...] = ()


def expect(holds: object, otherwise: str) -> None:
    """Fail the stage unless something holds."""
    if not holds:
        raise StageFailed(otherwise)

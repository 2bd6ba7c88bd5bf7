"""Parts of an answer that may be missing: without permission for one, the others are still told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from botocore.exceptions import ClientError

from auto_lambda_cli.aws_errors import AwsTrouble, trouble

T = TypeVar("T")

_ABSENT = frozenset({"ResourceNotFoundException"})


@dataclass(frozen=True, slots=True)
class Unknown:
    """A part that cannot be told; ``reason`` is for people."""

    part: str
    reason: str

    def __str__(self) -> str:
        return f"{self.part}: {self.reason}"


def refused(error: ClientError) -> bool:
    """Tell whether an error is about missing permission."""
    return trouble(error) is AwsTrouble.REFUSED


def ask(part: str, question: Callable[[], T]) -> T | Unknown:
    """Return the answer, or that the part is unknown because permission for it, or the thing asked, is missing.

    Any other error is raised: without valid credentials no part can be told.
    """
    try:
        return question()
    except ClientError as error:
        if refused(error):
            return Unknown(part, f"these credentials may not: {_said(error)}")
        if error.response.get("Error", {}).get("Code") in _ABSENT:
            return Unknown(part, _said(error))
        raise


def _said(error: ClientError) -> str:
    told = error.response.get("Error", {})
    return f"{error.operation_name}: {told.get('Message') or told.get('Code')}"

"""What goes wrong, as the page shows it: a code for the page, a message and a hint for people."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from auto_lambda.keys import BadKey
from auto_lambda.redact import printable
from auto_lambda_cli.aws_errors import AwsTrouble, code_of, trouble
from auto_lambda_cli.exits import tell

LOGIN = frozenset({"no-credentials", "expired-credentials", "unknown-credentials", "no-region"})
"""Codes of problems that end when the person logs in again."""
_AGAIN = "Log in again, for example with `aws sso login`; the console then goes on by itself."
_LOG_IN = "Log in, for example with `aws sso login`, or start the console with AWS_PROFILE set."
_KINDS = {
    AwsTrouble.NO_CREDENTIALS: ("no-credentials", _LOG_IN),
    AwsTrouble.NO_REGION: ("no-region", "Start the console with AWS_REGION set, or with a profile that has a region."),
    AwsTrouble.EXPIRED: ("expired-credentials", _AGAIN),
    AwsTrouble.UNKNOWN: ("unknown-credentials", _AGAIN),
    AwsTrouble.REFUSED: (
        "refused",
        "These credentials have no permission for it; the rest works without it.",
    ),
    AwsTrouble.THROTTLED: ("throttled", "AWS limits how often it is asked; it is asked again."),
    AwsTrouble.UNREACHABLE: ("unreachable", "Is the network there, and the local stack running? It is tried again."),
    AwsTrouble.OTHER: ("aws", None),
}
_SAID = {
    AwsTrouble.EXPIRED: "Your AWS credentials have expired.",
    AwsTrouble.UNKNOWN: "AWS does not know your credentials.",
}
"""The same for every call: the page says it once."""
_STATUS = {
    "no-such-app": 404, "no-such-release": 404, "no-such-page": 404, "under-way": 409, "nothing": 409, "changed": 409,
    "too-large": 413, "refused": 403, "throttled": 503, "unreachable": 503, "busy": 503, "aws": 502, "internal": 500,
    **dict.fromkeys(LOGIN, 503),
}  # fmt: skip


class Problem(Exception):
    """Something that a person is told.

    Args:
        code: for the page.
        message: for people.
        hint: what they can do.
        retry: whether asking again may help.
    """

    def __init__(self, code: str, message: str, hint: str | None = None, *, retry: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.retry = retry

    @property
    def status(self) -> int:
        """The HTTP status of a request that ends with it."""
        return _STATUS.get(self.code, 400)

    def as_json(self) -> dict[str, Any]:
        """Return every field."""
        return {"code": self.code, "message": self.message, "hint": self.hint, "retry": self.retry}


def problem_of(error: Exception) -> Problem:
    """Return what a person is told of an exception; of one that nobody expected, its kind is printed."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, BadKey):
        return Problem("bad-name", str(error))
    if isinstance(error, BotoCoreError | ClientError):
        return _of_aws(error)
    if type(error).__name__ in {"GroupUnusable", "LedgerUnusable", "QueueUnusable"}:
        return Problem("refused", str(error))
    tell(f"the console failed at a request: {type(error).__name__}: {error}")
    return Problem("internal", f"the console failed ({type(error).__name__})", "Its terminal says more.")


def _of_aws(error: BotoCoreError | ClientError) -> Problem:
    about = trouble(error)
    code, hint = _KINDS[about]
    if code_of(error) == "400":  # S3 gives no reason when it is asked for an object's metadata
        hint = f"If the credentials have expired: {_AGAIN}"
    said = _SAID.get(about) or printable(str(error))
    return Problem(code, said, hint, retry=about in {AwsTrouble.THROTTLED, AwsTrouble.UNREACHABLE})


def part(question: Callable[[], Any], failed: Callable[[Problem], None] = lambda _: None) -> dict[str, Any]:
    """Ask for one part of an answer; what goes wrong stands in its place. ``failed`` is called with it."""
    try:
        return {"value": question()}
    except Exception as error:  # noqa: BLE001 - the other parts are answered whatever it is
        problem = problem_of(error)
        failed(problem)
        return {"error": problem.as_json()}

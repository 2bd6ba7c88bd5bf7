"""What a release that does not answer as it should is told by, and whether another try may help."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import ParamSpec

from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_exponential

from auto_lambda.aws.lambda_ import Answer
from auto_lambda.errors import AppError, Code
from auto_lambda.redact import printable
from worker.bundle.log_groups import group_of
from worker.deploy.cause import cause
from worker.deploy.function_log import FunctionLogs
from worker.model import Bundle

_Given = ParamSpec("_Given")
_SHOWN = 300  # characters
_READ_ON = "What the function logged stands in the receipt (function_log) and in the log: mend what its last lines say"
_LOOK = "Look at the function's own log for the reason"
# New permissions take seconds to propagate, and a first call includes the start. All other errors are permanent. These
# are types of exceptions, as the runtime tells them, and codes of AWS's errors, which are types of exceptions, too.
_PASSING = frozenset({
    "AccessDenied", "AccessDeniedException", "AuthFailure", "AuthorizationError", "AuthorizationErrorException",
    "ConnectTimeoutError", "EndpointConnectionError", "ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId",
    "KMSAccessDeniedException", "NotAuthorized", "NotAuthorizedException", "ProvisionedThroughputExceededException",
    "ReadTimeoutError", "RequestLimitExceeded", "Sandbox.Timedout", "SlowDown", "Throttling", "ThrottlingException",
    "TimeoutError", "TooManyRequestsException", "UnauthorizedException", "UnauthorizedOperation",
    "UnrecognizedClientException",
})  # fmt: skip
_CALL_FAILED = re.compile(r"An error occurred \((\w{1,100})\) when calling the \w{1,100} operation")
_TIMED_OUT = re.compile(r"\S{1,40} \S{1,40} Task timed out after [\d.]{1,10} seconds")
_NO_TYPE = ("Unhandled", "Handled")  # what Lambda says of an error that has none


@dataclass(frozen=True, slots=True)
class FailedInvocation:
    """An invocation that failed. ``unexplained`` is how a message begins that still lacks the exception, else empty."""

    function: str
    answer: Answer
    unexplained: str = ""


class Unhealthy(Exception):
    """The deployment does not answer as it should; the message says what it answered.

    Attributes:
        failure: the invocation that shows it, if there was one.
        function_log: what the function logged about it, empty if that is not known.
    """

    def __init__(self, message: str, failure: FailedInvocation | None = None, function_log: str = "") -> None:
        super().__init__(message)
        self.failure = failure
        self.function_log = function_log


class Broken(Unhealthy):
    """The function itself fails, permanently."""


def persistently(act: Callable[_Given, str | None], sleep: Callable[[float], None]) -> Callable[_Given, str]:
    """Return what does something up to five times, as long as it fails for what may pass.

    Args:
        act: raises `Unhealthy`; `Broken` is final.
        sleep: waits that many seconds between two tries.
    """
    retrying = Retrying(
        retry=retry_if_exception(lambda error: isinstance(error, Unhealthy) and not isinstance(error, Broken)),
        stop=stop_after_attempt(5),
        wait=wait_exponential(0.5, max=8),
        sleep=sleep,
        reraise=True,
    )

    def acting(*given: _Given.args, **named: _Given.kwargs) -> str:
        return retrying(act, *given, **named) or ""

    return acting


def with_log(error: Unhealthy, bundle: Bundle, logs: FunctionLogs, began: datetime) -> Unhealthy:
    """Return an error with what the function logged, read once, when all tries have failed."""
    if error.failure is None:
        return error
    failure = error.failure
    logged = logs.of(failure.answer, group_of(bundle.template, failure.function, bundle.app), began)
    found = cause(logged) if failure.unexplained else None
    message = f"{failure.unexplained}: {shown(found)}" if found else str(error)
    return type(error)(message, failure, logged)


@contextmanager
def told_unhealthy(told: str) -> Iterator[None]:
    """Tell the uploader of what is unhealthy, after these words."""
    try:
        yield
    except Unhealthy as error:
        raise AppError(
            Code.UNHEALTHY,
            f"{told} {error}",
            hint=f"{_READ_ON if error.function_log else _LOOK}; `health_path` in auto-lambda.toml chooses another "
            "path to ask for.",
            function_log=error.function_log,
        ) from error


def failed(function: str, answer: Answer, told: str) -> Unhealthy:
    """Return the error of a function that failed; `Broken` unless another call may succeed."""
    return (Unhealthy if _passes(answer) else Broken)(told, FailedInvocation(function, answer))


def _passes(failure: Answer) -> bool:
    """Tell whether another call may succeed: by the error's type, not by words that the app may use for anything."""
    if failure.error == "ClientError" and (call := _CALL_FAILED.match(failure.message)):
        return call[1] in _PASSING
    timed_out = failure.error in _NO_TYPE and _TIMED_OUT.fullmatch(failure.message.strip()) is not None
    return timed_out or failure.error in _PASSING


def shown(text: str) -> str:
    """Return a text of an app's as one line that is not too long."""
    return " ".join(printable(text).split())[:_SHOWN] or "(nothing)"

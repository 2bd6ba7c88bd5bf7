"""Read why a resource of a stack failed: the fields that CloudFormation puts around a service's message.

The message quotes the app's own names and texts, so it is never searched. What counts has a fixed place: CloudFormation
and the services' clients append their codes, and the few messages without a code are AWS's sentence as a whole.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# Resource handlers: `Resource handler returned message: "..." (RequestToken: ..., HandlerErrorCode: Throttling)`.
_HANDLER = re.compile(r" \(RequestToken: [\w-]{1,200}, HandlerErrorCode: (\w{1,100})\)\Z")
_WRAPPED = 'Resource handler returned message: "'
_ATTEMPTS = re.compile(r" \(SDK Attempt Count: \d{1,9}\)\Z")
# The services' clients: `... (Service: Lambda, Status Code: 429, Request ID: ...)`, with semicolons in older ones.
_SERVICE = re.compile(
    r" ?\(Service: [\w ]{1,100}[;,] Status Code: (\d{3})(?:[;,] Error Code: ([\w.]{1,100}))?"
    r"[;,] Request ID: [^\s;,()]{0,200}(?:[;,] (?:Proxy|Extended Request ID): [^\s;,()]{0,300}){0,2}\)\Z"
)

_HANDLER_CODES = frozenset({
    "AccessDenied", "HandlerInternalFailure", "InternalFailure", "InvalidCredentials", "NetworkFailure",
    "NotStabilized", "ServiceInternalError", "ServiceLimitExceeded", "ServiceTimeout", "Throttling",
    "UnauthorizedTaggingOperation",
})  # fmt: skip
"""Of the handlers' error codes (CloudFormation CLI, "Handler error codes"): those that no change of the app cures."""

_VAGUE = (None, "GeneralServiceException", "Unknown")
"""With any other code of a handler, its message need not be looked at."""

_SERVICE_CODES = frozenset({
    "AccessDenied", "AccessDeniedException", "InternalError", "InternalErrorException", "InternalFailure",
    "InternalServerError", "InternalServerException", "LimitExceeded", "LimitExceededException",
    "RequestLimitExceeded", "ServiceException", "ServiceFailure", "ServiceFailureException", "ServiceUnavailable",
    "ServiceUnavailableException", "Throttling", "ThrottlingException", "ThrottledException", "TooManyRequests",
    "TooManyRequestsException", "UnauthorizedOperation",
})  # fmt: skip
_TOO_MANY_REQUESTS, _SERVER_ERROR = 429, 500

THROTTLES = frozenset({
    "PriorRequestNotComplete", "RequestLimitExceeded", "RequestThrottled", "RequestThrottledException", "SlowDown",
    "ThrottledException", "Throttling", "ThrottlingException", "TooManyRequests", "TooManyRequestsException",
})  # fmt: skip
"""Error codes of services that were asked for too much at once."""
_THROTTLED = frozenset({"rate exceeded", "request limit exceeded", "slow down", "throttling", "too many requests"})
"""The same as whole messages, as `_SENTENCES`: API Gateway's reason has no error code."""

_SENTENCES = frozenset({
    # A role takes seconds until other services know it.
    "the role defined for the function cannot be assumed by lambda",
    "internal failure", "internal error", "rate exceeded", "service unavailable", "throttling",
    "request limit exceeded", "unauthorized tagging operation", "resource timed out waiting for completion",
    "resource did not stabilize",
})  # fmt: skip
"""Whole messages of AWS, in lower case and without the full stop. None of them holds a word of the app's."""

# Who may not do it is named first, and CloudFormation acts with the pipeline's rights. What follows may be the app's.
_NOT_AUTHORIZED = re.compile(
    r"(?:API: [\w:-]{1,100} )?User: arn:[\w:/+=,.@-]{1,400} is not authorized to perform: [\w:*-]{1,100}[ .]"
)


# The pipeline's template, which CloudFormation could not load.
_NOT_LOADED = "S3 error: "
# A limit of the app's own, though its code is that of a limit of the account.
_LIMIT_OF_THE_APP = "Maximum policy size of "


@dataclass(frozen=True, slots=True)
class FailureReason:
    """A reason, taken apart.

    Attributes:
        message: the service's own, which may hold anything.
        handler_code: of CloudFormation's resource handler.
        status: the service's HTTP status.
        service_code: the service's error code.
    """

    message: str
    handler_code: str | None = None
    status: int | None = None
    service_code: str | None = None

    @property
    def passing(self) -> bool:
        """Whether AWS or the pipeline's rights failed, and not the app: another try may succeed, another zip won't."""
        if self.message.startswith(_LIMIT_OF_THE_APP):
            return False
        if self.handler_code in _VAGUE:
            return self._service_failed or self._told
        return self.handler_code in _HANDLER_CODES or (self.handler_code == "InvalidRequest" and self._told)

    @property
    def throttled(self) -> bool:
        """Whether AWS was asked for too much at once; the same request succeeds later."""
        if self.handler_code not in _VAGUE:
            return self.handler_code == "Throttling"
        return self.service_code in THROTTLES or self._sentence in _THROTTLED

    @property
    def _sentence(self) -> str:
        return self.message.strip().rstrip(".").lower()

    @property
    def _service_failed(self) -> bool:
        status = self.status or 0
        return status == _TOO_MANY_REQUESTS or status >= _SERVER_ERROR or self.service_code in _SERVICE_CODES

    @property
    def _told(self) -> bool:
        not_loaded = self.message.startswith(_NOT_LOADED)
        return self._sentence in _SENTENCES or not_loaded or _NOT_AUTHORIZED.match(self.message) is not None


def read_reason(reason: str) -> FailureReason:
    """Take a resource's reason apart, from its end."""
    message, handler = _without(_HANDLER, reason.rstrip())
    if message.startswith(_WRAPPED):
        message = message.removeprefix(_WRAPPED).removesuffix('"')
    message, _ = _without(_ATTEMPTS, message)
    message, service = _without(_SERVICE, message)
    return FailureReason(
        message=message,
        handler_code=handler[1] if handler else None,
        status=int(service[1]) if service else None,
        service_code=service[2] if service else None,
    )


def _without(ending: re.Pattern[str], text: str) -> tuple[str, re.Match[str] | None]:
    start = text.rfind(" (")
    match = ending.match(text, start) if start >= 0 else None
    return (text[:start], match) if match else (text, None)

"""What an exception of boto3's is about, as far as people have to do something about it."""

from __future__ import annotations

from enum import Enum, auto

_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"})
_UNKNOWN = frozenset({"AuthFailure", "InvalidAccessKeyId", "InvalidClientTokenId", "UnrecognizedClientException"})
_SSO = frozenset({
    "CredentialRetrievalError", "SSOTokenLoadError", "TokenRetrievalError", "UnauthorizedSSOTokenError",
})  # fmt: skip
_REFUSED = frozenset({
    "AccessDenied", "AccessDeniedException", "AuthorizationError", "403", "UnauthorizedOperation",
})  # fmt: skip
_THROTTLED = frozenset({
    "BandwidthLimitExceeded", "LimitExceededException", "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException", "RequestLimitExceeded", "RequestThrottled", "RequestThrottledException",
    "SlowDown", "ThrottledException", "Throttling", "ThrottlingException", "TooManyRequestsException",
})  # fmt: skip
_UNREACHABLE = frozenset({
    "ConnectTimeoutError", "ConnectionClosedError", "ConnectionError", "EndpointConnectionError", "HTTPClientError",
    "ProxyConnectionError", "ReadTimeoutError", "ResponseStreamingError", "SSLError",
})  # fmt: skip


class AwsTrouble(Enum):
    """The reason of an error."""

    NO_CREDENTIALS = auto()
    NO_REGION = auto()
    EXPIRED = auto()
    UNKNOWN = auto()
    """AWS does not know the credentials."""
    REFUSED = auto()
    THROTTLED = auto()
    UNREACHABLE = auto()
    OTHER = auto()


_BY_NAME = {
    "NoCredentialsError": AwsTrouble.NO_CREDENTIALS,
    "PartialCredentialsError": AwsTrouble.NO_CREDENTIALS,
    "ProfileNotFound": AwsTrouble.NO_CREDENTIALS,
    "NoRegionError": AwsTrouble.NO_REGION,
    **dict.fromkeys(_SSO, AwsTrouble.EXPIRED),
    **dict.fromkeys(_UNREACHABLE, AwsTrouble.UNREACHABLE),
}
_BY_CODE = {
    **dict.fromkeys(_EXPIRED, AwsTrouble.EXPIRED),
    **dict.fromkeys(_UNKNOWN, AwsTrouble.UNKNOWN),
    **dict.fromkeys(_REFUSED, AwsTrouble.REFUSED),
    **dict.fromkeys(_THROTTLED, AwsTrouble.THROTTLED),
}


def code_of(error: Exception) -> str | None:
    """Return the code that AWS answered with; None if it did not answer."""
    # Of a failed upload, boto3's own exception has only a text; botocore's is what it was raised for.
    response = getattr(error, "response", None) or getattr(error.__context__, "response", None)
    return response.get("Error", {}).get("Code") if isinstance(response, dict) else None


def trouble(error: Exception) -> AwsTrouble:
    """Tell what an exception of boto3's or botocore's is about."""
    known = next((_BY_NAME[kind.__name__] for kind in type(error).__mro__ if kind.__name__ in _BY_NAME), None)
    return known or _BY_CODE.get(code_of(error) or "", AwsTrouble.OTHER)

"""Failures of AWS pass and an app's own don't, whatever the app's names and texts say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auto_lambda.aws.cloudformation import StackFailed
from auto_lambda.aws.reasons.stack_reasons import read_reason

REQUEST = "Request ID: 0f4c3a52-6c1b-4a52-9a63-0a5b1d1c2e3f"


def handler(message: str, code: str, service: str | None = "Service: Lambda, Status Code: 400, {request}") -> str:
    by = f" ({service.format(request=REQUEST)})" if service else ""
    return (
        f'Resource handler returned message: "{message}{by}" (RequestToken: 6ab1cd12-fb9b-3fa1-0d6c-4b4c9d8e2f10, '
        f"HandlerErrorCode: {code})"
    )


PASSING = {
    "throttled": handler("Rate exceeded", "Throttling", "Service: Lambda, Status Code: 429, {request}"),
    "throttled, counted by the client": handler(
        "Rate exceeded",
        "GeneralServiceException",
        "Service: Lambda, Status Code: 429, {request}) (SDK Attempt Count: 4",
    ),
    "throttled, without a service": handler("Rate exceeded for operation 'CreateFunction'.", "Throttling", None),
    "throttled, by an older client": (
        f"Slow down (Service: AmazonCloudWatchEvents; Status Code: 400; Error Code: ThrottlingException; {REQUEST}; "
        "Proxy: null)"
    ),
    "throttled, in words alone": "Rate exceeded",
    "a fresh role": handler("The role defined for the function cannot be assumed by Lambda.", "InvalidRequest"),
    "not stabilised": handler("Resource of type 'AWS::Lambda::Function' did not stabilize.", "NotStabilized", None),
    "a quota": handler("Concurrency limit reached", "ServiceLimitExceeded"),
    "an internal failure": handler("Something went wrong", "InternalFailure", None),
    "an internal failure of a service": handler("null", "ServiceInternalError"),
    "an internal failure in words alone": "Internal Failure",
    "a handler that failed": handler("null", "HandlerInternalFailure", None),
    "a network that failed": handler("connect timed out", "NetworkFailure", None),
    "a service that did not answer": handler("x", "ServiceTimeout", None),
    "tagging is not allowed": handler("Unauthorized tagging operation", "UnauthorizedTaggingOperation"),
    "tagging is not allowed, in words alone": "Unauthorized tagging operation",
    "a service that is away": handler(
        "Service is unavailable", "GeneralServiceException", "Service: ApiGateway, Status Code: 503, {request}"
    ),
    "a service that is away, by an older client": (
        f"Unable to reach it (Service: Sns; Status Code: 503; Error Code: ServiceUnavailable; {REQUEST}; Proxy: null)"
    ),
    "the pipeline's rights": (
        "API: iam:CreateRole User: arn:aws:sts::123456789012:assumed-role/worker/i-1 is not authorized to perform: "
        "iam:CreateRole on resource: arn:aws:iam::123456789012:role/auto-lambda/x"
    ),
    "the pipeline's rights, by a handler": handler(
        "User: arn:aws:sts::123456789012:assumed-role/worker/i-1 is not authorized to perform: lambda:CreateFunction "
        "on resource: arn:aws:lambda:us-east-1:123456789012:function:x because no identity-based policy allows it",
        "GeneralServiceException",
        "Service: Lambda, Status Code: 403, {request}",
    ),
    "access denied": handler("Access denied for operation 'AWS::S3::Bucket'.", "AccessDenied", None),
}
WORDS = (
    "Rate exceeded", "Throttling", "Internal Failure", "ServiceUnavailable", "timed out", "NotStabilized",
    "The role defined for the function cannot be assumed by Lambda.", "HandlerErrorCode: Throttling",
    "(RequestToken: 1, HandlerErrorCode: Throttling)", "(Service: Lambda, Status Code: 503, Request ID: 1)",
    "User: arn:aws:iam::1:user/x is not authorized to perform: y on resource: z", "Unauthorized tagging operation",
)  # fmt: skip
OWN = {
    "a value": handler("1 validation error: Value '{}' at 'memorySize' failed to satisfy constraint", "InvalidRequest"),
    "a name": handler("{} already exists", "AlreadyExists", None),
    "a name at the end": handler("There is no such queue: {}", "NotFound", None),
    "a role's rights": handler(
        "The function execution role does not have permissions to call ReceiveMessage on SQS: {}", "InvalidRequest"
    ),
    "an older client": (
        f"Parameter {{}} is not valid. (Service: AmazonCloudWatchEvents; Status Code: 400; Error Code: "
        f"ValidationException; {REQUEST}; Proxy: null)"
    ),
    "a property": "Properties validation failed for resource Work with message: #/Name: '{}' is too long",
    "a policy": handler("Maximum policy size of 10240 bytes exceeded for role {}", "ServiceLimitExceeded"),
    "a schedule": handler("Parameter ScheduleExpression is not valid: {}", "InvalidRequest"),
}


@pytest.mark.parametrize("reason", PASSING.values(), ids=PASSING)
def test_what_passes(reason: str) -> None:
    assert StackFailed("al-shop-dev", "Work", reason).passing


@pytest.mark.parametrize("words", WORDS)
@pytest.mark.parametrize("reason", OWN.values(), ids=OWN)
def test_what_is_the_apps_own_whatever_it_is_called(reason: str, words: str) -> None:
    assert not StackFailed("al-shop-dev", "Work", reason.replace("{}", words)).passing


@pytest.mark.parametrize("words", WORDS)
def test_a_template_that_is_refused_is_the_apps_whatever_it_says(words: str) -> None:
    assert not StackFailed("al-shop-dev", None, f"Template format error: unresolved dependencies {words}").passing


def test_a_template_that_cannot_be_loaded_is_ours() -> None:
    assert StackFailed("al-shop-dev", None, "S3 error: Access Denied\nFor more information check http://x").passing
    assert StackFailed("al-shop-dev", None, "Rate exceeded").passing


@given(st.text(), st.sampled_from(["InvalidRequest", "NotFound", "AlreadyExists"]))
def test_what_a_message_holds_is_read_as_that_alone(message: str, code: str) -> None:
    reason = read_reason(handler(f"Value {message!r}", code))
    assert (reason.message, reason.handler_code, reason.status) == (f"Value {message!r}", code, 400)
    assert not reason.passing


def test_a_long_reason_takes_no_longer_than_its_length() -> None:
    for part in (" (", " (Service: ", "(RequestToken: ", "User: arn:"):
        assert not read_reason(part * 100_000).passing


TOO_MANY = "Service: ApiGateway, Status Code: 429, {request}"
THROTTLED = {
    "by its code": handler("Too Many Requests", "Throttling", TOO_MANY),
    "in the service's words": handler("Too Many Requests", "GeneralServiceException", TOO_MANY),
    "by an older client": PASSING["throttled, by an older client"],
    "in words alone": "Rate exceeded",
}
NOT_THROTTLED = {
    "a quota": handler("Maximum number of APIs has been reached", "ServiceLimitExceeded", TOO_MANY),
    "a quota without a code": handler("Maximum number of APIs reached", "GeneralServiceException", TOO_MANY),
    "an internal failure": PASSING["an internal failure"],
    "an app's text": handler("Name 'Rate exceeded' is taken", "AlreadyExists"),
}


@pytest.mark.parametrize("reason", THROTTLED.values(), ids=THROTTLED)
def test_throttling_is_known_and_passes(reason: str) -> None:
    assert read_reason(reason).throttled
    assert StackFailed("al-shop-dev", "Api", reason).passing


@pytest.mark.parametrize("reason", NOT_THROTTLED.values(), ids=NOT_THROTTLED)
def test_other_failures_are_not_throttling(reason: str) -> None:
    assert not read_reason(reason).throttled

"""Verifies that a deployment answers: through the alias and from outside, as its users call it."""

from __future__ import annotations

import http.client
import json
import re
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_exponential

from auto_lambda.aws.lambda_ import Answer, Functions
from auto_lambda.lambda_events import EventShape, find_route, get_event
from auto_lambda.model import BuildLog
from auto_lambda.redact import printable
from worker.bundle.log_groups import group_of
from worker.bundle.publish import alias_output
from worker.deploy.cause import cause
from worker.deploy.function_log import FunctionLogs
from worker.deploy.gate.template import TemplateView
from worker.deploy.http_get import HttpAnswer, NotPublic, get, get_public
from worker.deploy.own_url import own_url
from worker.model import Bundle

_SHOWN = 300  # characters
# A handler that gets no records does nothing, so its function can be invoked without side effects.
_RECORD_TRIGGERS = ("Lambda::EventSourceMapping", "FunctionName"), ("SNS::Subscription", "Endpoint")
_OTHER_TRIGGERS = ("Events::Rule", "Targets"), ("Scheduler::Schedule", "Target")
_NO_RECORDS: Mapping[str, Any] = {"Records": []}
# Handlers of topics and buckets read the first record, which is missing; that shows that they were loaded and run. The
# embedded AWS gives all exceptions of a handler one name, which Lambda's Python runtime does not use.
_STARTED = (None, "IndexError", "Runtime.HandlerError")
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


class Verifier:
    """Tries out a new deployment.

    Args:
        functions: Lambda.
        endpoint: of an emulator, None on AWS.
        fetch: one GET; by default, on AWS to public addresses only.
        sleep: waits that many seconds between two tries.
        logs: what functions log.
    """

    def __init__(
        self,
        functions: Functions,
        endpoint: str | None = None,
        *,
        fetch: Callable[[str], HttpAnswer] | None = None,
        sleep: Callable[[float], None] = time.sleep,
        logs: FunctionLogs | None = None,
    ) -> None:
        self._logs = logs or FunctionLogs()
        self._functions = functions
        self._endpoint = endpoint
        self._fetch = fetch or (get if endpoint else get_public)
        self._sleep = sleep

    def verify(self, bundle: Bundle, outputs: Mapping[str, str], resources: Mapping[str, str], log: BuildLog) -> None:
        """Return if it is healthy: it answers below 500, or a function without a route starts.

        Args:
            bundle: what was deployed.
            outputs: of its stack.
            resources: the physical ids of its stack's resources, by logical id.
            log: takes what was tried.

        Raises:
            Unhealthy: after some retries, since a cold start or a new route may cause temporary errors; at once for
                an error of the function itself.
        """
        url, began = self._url(bundle, outputs, resources), self._logs.now()
        try:
            log(self._tried(url, bundle, outputs, log))
        except Unhealthy as error:
            raise self._with_log(error, bundle, began) from error

    def _tried(self, url: str | None, bundle: Bundle, outputs: Mapping[str, str], log: BuildLog) -> str:
        retrying = Retrying(
            retry=retry_if_exception(lambda error: isinstance(error, Unhealthy) and not isinstance(error, Broken)),
            stop=stop_after_attempt(5),
            wait=wait_exponential(0.5, max=8),
            sleep=self._sleep,
            reraise=True,
        )
        try:
            return retrying(self._ask, url, bundle, outputs) if url else retrying(self._try, bundle, outputs)
        except NotPublic as error:  # behind an endpoint of a network of the worker's own, say
            log(f"{error}: it is not asked from here")
            return retrying(self._try, bundle, outputs)

    def _with_log(self, error: Unhealthy, bundle: Bundle, began: datetime) -> Unhealthy:
        """Return the error with what the function logged, read once, when all tries have failed."""
        if error.failure is None:
            return error
        failure = error.failure
        logged = self._logs.of(failure.answer, group_of(bundle.template, failure.function, bundle.app), began)
        found = cause(logged) if failure.unexplained else None
        message = f"{failure.unexplained}: {_shown(found)}" if found else str(error)
        return type(error)(message, failure, logged)

    def _url(self, bundle: Bundle, outputs: Mapping[str, str], resources: Mapping[str, str]) -> str | None:
        """Return the URL to ask; None without one that a GET can reach.

        Raises:
            Broken: the URL is not the stack's own.
        """
        url = outputs.get("AutoLambdaUrl", "")
        if not url or url.startswith("ws") or _private(bundle) or not bundle.asked:
            return None
        found = own_url(url, resources.values(), self._endpoint)
        if found is None:
            raise Broken(f"{_shown(url)} is no address of the stack's own API or function, so it is not asked")
        return found

    def _ask(self, base: str, bundle: Bundle, outputs: Mapping[str, str]) -> str:
        url = base.rstrip("/") + bundle.health_path
        try:
            answer = self._fetch(url)
        except (OSError, http.client.HTTPException) as error:
            raise Unhealthy(f"GET {url} got no answer ({error or type(error).__name__})") from error
        if answer.status >= http.client.INTERNAL_SERVER_ERROR:
            told = f"GET {url} was answered {answer.status}"
            own = self._invoked_directly(base, bundle, outputs)
            if own and own.error:
                failed = f"{bundle.main} failed: {own.error}: {_shown(own.message)}"
                raise _of(bundle.main, own, f"{told}: {_shown(answer.text)} ({failed})")
            found = cause(answer.text, *((own.message, own.log) if own else ()))
            failure = FailedInvocation(bundle.main, own, "" if found else told) if own and _fails(own) else None
            raise Unhealthy(f"{told}: {_shown(found or answer.text)}", failure)
        return f"GET {url}: {answer.status}"

    def _invoked_directly(self, base: str, bundle: Bundle, outputs: Mapping[str, str]) -> Answer | None:
        """Invoke the function directly to get its own error and log, which API Gateway hides."""
        asked = urlsplit(base)
        route = find_route(_paths(bundle), bundle.health_path)
        event = get_event(_shape(bundle), bundle.health_path, asked.path.strip("/"), asked.netloc, route)
        try:
            return self._functions.invoke(outputs[alias_output(bundle.main)], event)
        except (ClientError, BotoCoreError):
            return None

    def _try(self, bundle: Bundle, outputs: Mapping[str, str]) -> str:
        harmless = _fed_by_records(bundle) if bundle.asked else None
        if harmless is None:
            return self._look(bundle.main, outputs[alias_output(bundle.main)])
        answer = self._functions.invoke(outputs[alias_output(harmless)], _NO_RECORDS)
        if answer.error not in _STARTED:
            raise _of(harmless, answer, f"{harmless} does not start: {answer.error}: {_shown(answer.message)}")
        return f"{harmless} starts"

    def _look(self, function: str, alias: str) -> str:
        """Check a function without invoking it, because invoking it would do its work."""
        self._functions.may_be_invoked(alias)
        state = self._functions.state(alias)
        if state is None or not state.ready:
            raise Unhealthy(f"{function} is {state.state if state else 'missing'}: {state.reason if state else ''}")
        return f"{function} is ready (not called: calling it would do its work)"


def _fed_by_records(bundle: Bundle) -> str | None:
    """Name a function that only gets lists of records, preferably the main one."""
    view = TemplateView(bundle.template["Resources"])
    fed = {item.function for item in bundle.notifications} | _called(view, _RECORD_TRIGGERS)
    fed -= _called(view, _OTHER_TRIGGERS)
    return bundle.main if bundle.main in fed else min(fed, default=None)


def _called(view: TemplateView, triggers: tuple[tuple[str, str], ...]) -> set[str]:
    found = set()
    for kind, key in triggers:
        for _, properties in view.of(kind):
            targets = properties[key] if key == "Targets" else [properties[key]]
            values = [target["Arn"] if key.startswith("Target") else target for target in targets]
            found |= {view.live[alias] for value in values if (alias := view.refers_to(value, "Lambda::Alias"))}
    return found


def _private(bundle: Bundle) -> bool:
    """Tell whether an API is reachable only from inside a network, which the worker need not be in."""
    view = TemplateView(bundle.template["Resources"])
    return any(
        "PRIVATE" in properties.get("EndpointConfiguration", {}).get("Types", [])
        for _, properties in view.of("ApiGateway::RestApi")
    )


def _of(function: str, answer: Answer, told: str) -> Unhealthy:
    return (Unhealthy if _passes(answer) else Broken)(told, FailedInvocation(function, answer))


def _fails(answer: Answer) -> bool:
    """Tell whether a function that returned has failed all the same: its log is that of another answer otherwise."""
    try:
        said = json.loads(answer.message)
        status = said.get("statusCode") if isinstance(said, dict) else None
    except (ValueError, RecursionError):
        status = None
    server_error = isinstance(status, int) and status >= http.client.INTERNAL_SERVER_ERROR
    return server_error or cause(answer.log) is not None


def _passes(failure: Answer) -> bool:
    """Tell whether another call may succeed: by the error's type, not by words that the app may use for anything."""
    if failure.error == "ClientError" and (call := _CALL_FAILED.match(failure.message)):
        return call[1] in _PASSING
    timed_out = failure.error in _NO_TYPE and _TIMED_OUT.fullmatch(failure.message.strip()) is not None
    return timed_out or failure.error in _PASSING


def _shape(bundle: Bundle) -> EventShape:
    kinds = {one["Type"] for one in bundle.template["Resources"].values()}
    if "AWS::ApiGateway::RestApi" in kinds:
        return "rest-api"
    return "http-api" if "AWS::ApiGatewayV2::Api" in kinds else "function-url"


def _paths(bundle: Bundle) -> Collection[str]:
    """Return the paths of an API that its functions have to be told, since it is defined by them."""
    view = TemplateView(bundle.template["Resources"])
    apis = (properties.get("Body", {}).get("paths", {}) for _, properties in view.of("ApiGateway::RestApi"))
    return {path for paths in apis for path in paths}


def _shown(text: str) -> str:
    return " ".join(printable(text).split())[:_SHOWN] or "(nothing)"

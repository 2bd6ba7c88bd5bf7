"""Verifies that a deployment answers from outside, as its users call it."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError

from auto_lambda.aws.lambda_ import Answer, Functions
from auto_lambda.lambda_events import EventShape, find_route, get_event
from auto_lambda.model import BuildLog
from worker.bundle.publish import alias_output
from worker.deploy.cause import cause
from worker.deploy.function_log import FunctionLogs
from worker.deploy.gate.template import TemplateView
from worker.deploy.http_get import HttpAnswer, NotPublic, get, get_public
from worker.deploy.own_url import own_url
from worker.deploy.unhealthy import Broken, FailedInvocation, Unhealthy, failed, persistently, shown, with_log
from worker.model import Bundle

# A handler that gets no records does nothing, so its function can be invoked without side effects.
_RECORD_TRIGGERS = ("Lambda::EventSourceMapping", "FunctionName"), ("SNS::Subscription", "Endpoint")
_OTHER_TRIGGERS = ("Events::Rule", "Targets"), ("Scheduler::Schedule", "Target")
NO_RECORDS: Mapping[str, Any] = {"Records": []}
"""The event of a queue that has nothing."""
# Handlers of topics and buckets read the first record, which is missing; that shows that they were loaded and run. The
# embedded AWS gives all exceptions of a handler one name, which Lambda's Python runtime does not use.
STARTED = (None, "IndexError", "Runtime.HandlerError")


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
        """Return if its URL answers below 500, or if there is none that a GET from here can reach.

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
        if not url:
            return
        try:
            log(persistently(self._ask, self._sleep)(url, bundle, outputs))
        except NotPublic as error:  # behind an endpoint of a network of the worker's own, say
            log(f"{error}: it is not asked from here")
        except Unhealthy as error:
            raise with_log(error, bundle, self._logs, began) from error

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
            raise Broken(f"{shown(url)} is no address of the stack's own API or function, so it is not asked")
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
                why = f"{bundle.main} failed: {own.error}: {shown(own.message)}"
                raise failed(bundle.main, own, f"{told}: {shown(answer.text)} ({why})")
            found = cause(answer.text, *((own.message, own.log) if own else ()))
            failure = FailedInvocation(bundle.main, own, "" if found else told) if own and _fails(own) else None
            raise Unhealthy(f"{told}: {shown(found or answer.text)}", failure)
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


def fed_by_records(bundle: Bundle) -> str | None:
    """Return the function that only gets lists of records, preferably the main one."""
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


def _fails(answer: Answer) -> bool:
    """Tell whether a function that returned has failed all the same: its log is that of another answer otherwise."""
    try:
        said = json.loads(answer.message)
        status = said.get("statusCode") if isinstance(said, dict) else None
    except (ValueError, RecursionError):
        status = None
    server_error = isinstance(status, int) and status >= http.client.INTERNAL_SERVER_ERROR
    return server_error or cause(answer.log) is not None


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

"""Verifies that a version answers before anybody is led to it."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from auto_lambda.aws.lambda_ import Answer, Functions
from auto_lambda.model import BuildLog
from worker.deploy.cause import cause
from worker.deploy.function_log import FunctionLogs
from worker.deploy.switch.front_request import FrontRequest, front_request
from worker.deploy.unhealthy import Broken, FailedInvocation, Unhealthy, failed, persistently, shown, with_log
from worker.deploy.verify import NO_RECORDS, STARTED, fed_by_records
from worker.model import Bundle


class VersionCheck:
    """Tries out versions that were published.

    Args:
        functions: Lambda.
        region: of the pipeline.
        logs: what functions log.
        sleep: waits that many seconds between two tries.
    """

    def __init__(
        self, functions: Functions, region: str, logs: FunctionLogs, *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._logs = logs
        self._functions = functions
        self._region = region
        self._sleep = sleep

    def verify(self, bundle: Bundle, url: str | None, versions: Mapping[str, str], log: BuildLog) -> None:
        """Return if the versions are well: the one behind the health path answers below 500, or one starts.

        Args:
            bundle: the release.
            url: of the app, if it has one already.
            versions: qualified names to invoke, by logical id of the function.
            log: takes what was tried.

        Raises:
            Unhealthy: after some retries, since new rights take time to get around; at once for an error of the
                function itself.
        """
        began = self._logs.now()
        try:
            self._verify(bundle, url, versions, log)
        except Unhealthy as error:
            raise with_log(error, bundle, self._logs, began) from error

    def _verify(self, bundle: Bundle, url: str | None, versions: Mapping[str, str], log: BuildLog) -> None:
        asked = front_request(bundle, url, self._region)
        fed = fed_by_records(bundle) if bundle.asked else None
        if asked and asked.function in versions:
            tried = asked.function
            log(persistently(self._ask, self._sleep)(asked, bundle.health_path, versions[tried]))
        elif fed in versions:
            tried = str(fed)
            log(persistently(self._start, self._sleep)(tried, versions[tried]))
        else:
            tried = bundle.main if bundle.main in versions else min(versions)
            log(persistently(self._look, self._sleep)(tried, versions[tried]))
        for name in sorted(versions.keys() - {tried}):
            persistently(self._look, self._sleep)(name, versions[name])

    def _ask(self, request: FrontRequest, path: str, version: str) -> str:
        answer = self._functions.invoke(version, request.event)
        told = f"GET {path} was answered"
        if answer.error:
            why = f"{request.function} failed: {answer.error}: {shown(answer.message)}"
            raise failed(request.function, answer, f"{told} {http.client.BAD_GATEWAY}: {why}")
        response = _response(answer, strict="resource" in request.event)
        if response is None:
            what = f"{request.function} returned what is no response: {shown(answer.payload)}"
            raise Broken(f"{told} {http.client.BAD_GATEWAY}: {what}", FailedInvocation(request.function, answer))
        status, body = response
        if status >= http.client.INTERNAL_SERVER_ERROR:
            found = cause(body, answer.payload, answer.log)
            failure = FailedInvocation(request.function, answer, "" if found else f"{told} {status}")
            raise Unhealthy(f"{told} {status}: {shown(found or body)}", failure)
        return f"{told} {status} by version {version.rpartition(':')[2]}"

    def _start(self, function: str, version: str) -> str:
        answer = self._functions.invoke(version, NO_RECORDS)
        if answer.error not in STARTED:
            raise failed(function, answer, f"{function} does not start: {answer.error}: {shown(answer.message)}")
        return f"{function} starts"

    def _look(self, function: str, version: str) -> str:
        """Check a function without invoking it, because invoking it would do its work."""
        self._functions.may_be_invoked(version)
        state = self._functions.state(version)
        if state is None or not state.ready:
            raise Unhealthy(f"{function} is {state.state if state else 'missing'}: {state.reason if state else ''}")
        return f"{function} is ready (not called: calling it would do its work)"


def _response(answer: Answer, *, strict: bool) -> tuple[int, str] | None:
    """Return status and body that a front makes of what a function returned; None if it cannot.

    Args:
        answer: without an error.
        strict: whether a front takes a whole response only; others make one of anything.
    """
    try:
        found: Any = json.loads(answer.payload)
    except (ValueError, RecursionError):
        found = None
    status = found.get("statusCode") if isinstance(found, dict) else None
    if isinstance(found, dict) and str(status).isdecimal():
        return int(str(status)), str(found.get("body") or "")
    return None if strict else (http.client.OK, answer.payload)

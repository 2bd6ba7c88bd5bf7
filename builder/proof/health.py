"""Judge what an app answers in the proof to the GET that is sent after its deployment."""

from __future__ import annotations

import http.client
import re
from collections.abc import Mapping
from pathlib import Path

from auto_lambda.errors import AppError, Code
from builder.diagnosis.import_errors import NETWORK_ERRORS
from builder.diagnosis.syntax import clean
from builder.model import Draft
from builder.proof.hanging import is_importing, place
from builder.proof.printed import last_exception
from builder.proof.starts import Start
from builder.proof.verdict import AnswerReport, ExceptionReport, Result, unhealthy

_LONGEST = 500  # characters of an exception in a warning
# What may be there on Lambda, and is not in the proof. A library that this machine lacks may be there as well.
_NOT_HERE = frozenset({Code.NEEDS_AWS, Code.MISSING_ENVIRONMENT, Code.MISSING_LIBRARY})
_OF_AWS = re.compile(r'(?m)^  File "[^"\n]{1,4096}/(?:aiobotocore|aws_xray_sdk|boto3|botocore|s3transfer)/')
_VARIABLES = re.compile(r"\b(?:os\.environ\b|getenv\(|env\()")  # a WSGI app's `environ` is none of them
_WHY_ONLY_A_WARNING = "it may be for want of a network, of AWS or of variables, so only the deployment will show it"


def hangs(draft: Draft, start: Start, told: Result, shown: Mapping[Path, str]) -> bool:
    """Tell whether an app was asked, and was stopped because it did not answer, though it had been imported."""
    asked = draft.health and start.event is not None and told.ended == "event-time" and told.answer is None
    return asked and not is_importing(told.stack, shown)


def judge(
    draft: Draft, start: Start, told: Result, shown: Mapping[Path, str], python: str, path: str
) -> AppError | str | None:
    """Return the error of an app that answers 5xx, or not at all, for a reason of its own; else a warning.

    It is a warning where the app may answer on Lambda; None for an app that answers.

    Args:
        draft: of the app.
        start: of its main function.
        told: how that went.
        shown: folders by the name that the uploader knows.
        python: the target's minor.
        path: that was asked for.
    """
    if hangs(draft, start, told, shown):
        return _hanging(draft, start, told, shown, path)
    answer = told.answer
    if not draft.health or answer is None or answer.status < http.client.INTERNAL_SERVER_ERROR:
        return None
    what = f"GET {clean(path)} was answered {answer.status} when the package was tested"
    problem = last_exception(told.printed, "health") or last_exception(_body(answer), "health")
    if problem is None:
        return f"{what}: {_WHY_ONLY_A_WARNING}"
    error = unhealthy(start, problem, what, shown, python, draft.code)
    if _may_work_on_lambda(draft, told, problem, error):
        raised = " ".join(clean(f"{problem.type}: {problem.message}").split())
        return f"{what} ({raised[:_LONGEST]}): {_WHY_ONLY_A_WARNING}"
    return type(error)(Code.UNHEALTHY, error.message, hint=error.hint)


def _hanging(draft: Draft, start: Start, told: Result, shown: Mapping[Path, str], path: str) -> AppError | str:
    what = f"GET {clean(path)} was not answered within {start.seconds} seconds when the package was tested"
    if told.network or draft.remote_environment or _has_placeholders(draft):
        return f"{what}: {_WHY_ONLY_A_WARNING}"
    return AppError(
        Code.UNHEALTHY,
        f"{what}{place(told.stack, shown)}",
        hint="The last line says what it was doing. If it only needs longer, give the function more time "
        "(lambda_timeout for chalice, timeout_seconds for zappa); `health_path` in auto-lambda.toml chooses another "
        "path to ask for.",
    )


def _body(answer: AnswerReport) -> str:
    """Return an answer's text, in which a traceback may be written as a string of a programming language."""
    return re.sub(r"\\+(['\"])", r"\1", re.sub(r"\\+n", "\n", answer.body))


def _may_work_on_lambda(draft: Draft, told: Result, problem: ExceptionReport, error: AppError) -> bool:
    return (
        told.network
        or error.code in _NOT_HERE
        or not NETWORK_ERRORS.isdisjoint(problem.types)
        or _OF_AWS.search(problem.traceback) is not None
        or _VARIABLES.search(problem.traceback) is not None
        or draft.remote_environment
        or _has_placeholders(draft)
    )


def _has_placeholders(draft: Draft) -> bool:
    """Return whether the main function has variables whose values only CloudFormation knows."""
    properties = draft.template["Resources"][draft.main].get("Properties", {})
    variables = properties.get("Environment", {}).get("Variables", {})
    return any(isinstance(value, dict) for value in variables.values())

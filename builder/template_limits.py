"""Says in the uploader's words what the worker could only refuse as a message that breaks the protocol."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from auto_lambda.errors import AppError, Code
from builder.protocol.channel import deeper_than
from builder.protocol.template_shape import MAX_DEPTH

MAX_RESOURCES = 500
MAX_TEMPLATE_BYTES = 1_000_000
"""CloudFormation's limits (User Guide, 'CloudFormation quotas')."""

MAX_VALUES = 150_000
"""Values of a template, about; a message with the template in it may have some more."""

_SPLIT = "Split the app into several, each with its own zip."


def check_limits(template: Mapping[str, Any]) -> None:
    """Return if a template can be passed on.

    Raises:
        AppError: ``template-refused``: too deep; ``bad-config``: text that is not Unicode, or a number that is none;
            ``too-many-resources``: too large for CloudFormation.
    """
    if deeper_than(template, MAX_DEPTH):
        raise refused(f"it is nested deeper than {MAX_DEPTH} levels")
    try:
        text = json.dumps(template, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        size = len(text.encode())
    except UnicodeEncodeError as error:
        shown = ascii(error.object[max(0, error.start - 60) : error.end + 20])
        raise unusable(f"text that is not valid Unicode, in {shown}") from error
    except ValueError as error:
        raise unusable("a number that is infinite, or not a number") from error
    resources = template.get("Resources")
    count = len(resources) if isinstance(resources, Mapping) else 0
    if count > MAX_RESOURCES or size > MAX_TEMPLATE_BYTES or _values(text) > MAX_VALUES:
        raise too_large(f"{count:,} resources in {size:,} bytes")


def too_large(what: str) -> AppError:
    """Return the error of an app that compiles to more than a stack may hold."""
    return AppError(
        Code.TOO_MANY_RESOURCES,
        f"The app compiles to {what}; CloudFormation takes {MAX_RESOURCES} resources in {MAX_TEMPLATE_BYTES:,} bytes a "
        "stack.",
        hint=_SPLIT,
    )


def unusable(what: str) -> AppError:
    """Return the error of a value that passed every check and still cannot be worked with or passed on."""
    return AppError(
        Code.BAD_CONFIG,
        f"A value in the app's files or settings cannot be used: {what}",
        hint="Look for text that is not valid Unicode, and for very long or deeply nested values, in settings, "
        "policies, names and routes.",
    )


def refused(reason: str) -> AppError:
    """Return the error of a template that may not be deployed."""
    return AppError(
        Code.TEMPLATE_REFUSED,
        f"What the app compiled to may not be deployed: {reason}.",
        hint="Importing the app must not change how its framework packages it.",
    )


def _values(text: str) -> int:
    return text.count(",") + text.count("[") + text.count("{")

"""Tells whether a URL leads to something that a stack has made, and to nowhere else."""

from __future__ import annotations

import re
from collections.abc import Collection

from auto_lambda.aws.urls import callable_url

_REGION = r"[a-z]{2}(?:-[a-z]+)+-\d"
_PATH = r"(?:/[\w$-]*)*"  # no dot, so nothing leads upwards
_API = re.compile(rf"https://(?P<id>[a-z0-9]+)\.execute-api\.{_REGION}\.amazonaws\.com(?:\.cn)?{_PATH}")
_FUNCTION = re.compile(rf"https://[a-z0-9]+\.lambda-url\.{_REGION}\.on\.aws/?")
# The id alone decides what is called there: the host becomes the emulator's.
_EMULATED = re.compile(rf"https?://[A-Za-z0-9-]+\.(?:execute-api|lambda-url)\.[\w.-]+(?::\d+)?{_PATH}")


def own_url(url: str, physical_ids: Collection[str], endpoint: str | None) -> str | None:
    """Return the address to call for a URL of a stack; None if it is not the stack's own.

    That a function URL is of this stack is the gate's to know: its host is not among the physical ids.

    Args:
        url: an output of the stack.
        physical_ids: of the stack's resources.
        endpoint: of an emulator, None on AWS.
    """
    if endpoint:
        return callable_url(url, endpoint) if _EMULATED.fullmatch(url) else None
    if found := _API.fullmatch(url):
        return url if found["id"] in physical_ids else None
    return url if _FUNCTION.fullmatch(url) else None

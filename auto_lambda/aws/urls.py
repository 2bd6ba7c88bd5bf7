"""Public URLs of apps, on AWS and on an emulator."""

from __future__ import annotations

import re

_API = re.compile(r"(?:https?|wss?)://([^./]+)\.execute-api\.[^/]+(?:/(.*))?")
_FUNCTION = re.compile(r"https?://([^./]+)\.lambda-url\.[^/]+(?:/(.*))?")


def callable_url(url: str, endpoint: str | None) -> str:
    """Return the URL to call: the same on AWS; on an emulator, whose APIs have no host names, one below its endpoint.

    Args:
        url: of an API Gateway stage, a WebSocket stage or a function.
        endpoint: ``AWS_ENDPOINT_URL``, None on AWS.
    """
    if endpoint is None:
        return url
    endpoint = endpoint.rstrip("/")
    if found := _FUNCTION.fullmatch(url):
        return f"{endpoint}/_aws/lambda-url/{found[1]}/{found[2] or ''}"
    if found := _API.fullmatch(url):
        scheme = re.sub("^http", "ws", endpoint) if url.startswith("ws") else endpoint
        # The stage `$default` has no segment of its own in its real URL.
        return f"{scheme}/_aws/execute-api/{found[1]}/{found[2] or '$default/'}"
    return url

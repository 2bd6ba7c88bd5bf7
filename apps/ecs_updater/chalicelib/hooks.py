"""Decides whether a webhook is to be believed. What it says is a hint only: to look at the registries now."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from .http import Answer, Unreachable, ask

MOST_BYTES = 64 * 1024
_LONGEST = 200  # characters of a name that is logged
Secret = Callable[[str], str | None]


class Refused(Exception):
    """A webhook is not acted on. ``status`` is the answer; it says no more than it must."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


@dataclass(frozen=True, slots=True)
class Hint:
    """Something was pushed, says somebody who may say so. ``image`` is for the log alone."""

    source: str
    image: str
    callback: str | None = None


def docker_hub(token: str, body: bytes, secret: Secret) -> Hint:
    """Check a webhook of Docker Hub, which can send no header: its secret is part of the URL.

    Raises:
        Refused: the token is wrong, or the body is not Docker Hub's.
    """
    _match(secret("hook-token"), token, status=404)
    told = _read(body)
    name, tag = _text(told, "repository", "repo_name"), _text(told, "push_data", "tag")
    callback = told.get("callback_url")
    return Hint("docker-hub", f"{name}:{tag}", callback if isinstance(callback, str) else None)


def github(signature: str, event: str, body: bytes, secret: Secret) -> Hint | None:
    """Check a webhook of GitHub, signed with the secret; None for an event that tells of no package.

    Raises:
        Refused: the signature is wrong, or the body is not GitHub's.
    """
    _bounded(body)
    key = secret("github-secret")
    expected = f"sha256={hmac.new((key or '').encode(), body, hashlib.sha256).hexdigest()}"
    _match(expected if key else None, signature, status=401)
    told = _read(body)
    if event not in ("package", "registry_package"):
        return None
    return Hint("github", f"{_text(told, event, 'namespace')}/{_text(told, event, 'name')}")


def plain(authorization: str, body: bytes, secret: Secret) -> Hint:
    """Check a POST of any CI: ``Authorization: Bearer <token>``, and optionally the image as JSON.

    Raises:
        Refused: the token is wrong, or the body is not JSON.
    """
    kind, _, token = authorization.partition(" ")
    _match(secret("hook-token"), token.strip() if kind.lower() == "bearer" else "", status=401)
    told = _read(body) if body.strip() else {}
    return Hint("post", str(told.get("image", ""))[:_LONGEST])


def call_back(url: str | None) -> bool:
    """Tell Docker Hub that its webhook arrived, if the URL is Docker Hub's; return whether it was told."""
    try:
        parts = urlsplit(url or "")
    except ValueError:
        return False
    if (parts.scheme, parts.netloc) != ("https", "registry.hub.docker.com") or not parts.path.startswith("/u/"):
        return False
    body = json.dumps({"state": "success", "context": "ecs-updater"}).encode()
    try:
        answer: Answer = ask(parts.geturl(), method="POST", headers={"Content-Type": "application/json"}, body=body)
    except Unreachable:
        return False
    return answer.status < 300


def _match(expected: str | None, given: str, *, status: int) -> None:
    """Compare in constant time; without a secret nothing is right."""
    # half of a surrogate pair, which JSON can spell, is no text that can be encoded otherwise
    right = hmac.compare_digest((expected or "").encode(), given.encode(errors="surrogatepass"))
    if not (expected and right):
        raise Refused(status, "unknown" if status == 404 else "not authorized")


def _bounded(body: bytes) -> None:
    if len(body) > MOST_BYTES:
        raise Refused(413, f"more than {MOST_BYTES:,} bytes")


def _read(body: bytes) -> Mapping[str, Any]:
    _bounded(body)
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        raise Refused(400, "not JSON") from None
    if not isinstance(told, dict):
        raise Refused(400, "not a JSON object")
    return told


def _text(told: Mapping[str, Any], group: str, name: str) -> str:
    inner = told.get(group)
    value = inner.get(name) if isinstance(inner, dict) else None
    if not isinstance(value, str) or len(value) > _LONGEST or not re.fullmatch(r"[\w./:@-]*", value):
        raise Refused(400, f"no {group}.{name}")
    return value

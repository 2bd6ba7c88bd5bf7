"""Evaluates the policy that an authorizer returns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

Verdict = Literal["allowed", "denied", "unmentioned"]
_INVOKE = "execute-api:invoke"


def verdict(policy: Mapping[str, Any], method_arn: str) -> Verdict:
    """Return what a policy says about a call; a denial wins."""
    found: Verdict = "unmentioned"
    for statement in _many(policy.get("Statement")):
        if not isinstance(statement, Mapping) or not _about(statement, method_arn):
            continue
        if str(statement.get("Effect", "")).lower() == "deny":
            return "denied"
        if str(statement.get("Effect", "")).lower() == "allow":
            found = "allowed"
    return found


def _about(statement: Mapping[str, Any], method_arn: str) -> bool:
    actions = (str(one).lower() for one in _many(statement.get("Action")))
    resources = (str(one) for one in _many(statement.get("Resource")))
    return any(_fits(one, _INVOKE) for one in actions) and any(_fits(one, method_arn) for one in resources)


def _fits(pattern: str, name: str) -> bool:
    """Match with ``*`` and ``?``, in a time that no pattern or path can make long."""
    at, star, retry, index = 0, -1, 0, 0
    while index < len(name):
        if at < len(pattern) and pattern[at] == "*":
            star, retry, at = at, index, at + 1
        elif at < len(pattern) and pattern[at] in ("?", name[index]):
            at, index = at + 1, index + 1
        elif star >= 0:
            retry += 1
            at, index = star + 1, retry
        else:
            return False
    return not pattern[at:].strip("*")


def _many(given: Any) -> Iterable[Any]:
    return given if isinstance(given, list) else [] if given is None else [given]

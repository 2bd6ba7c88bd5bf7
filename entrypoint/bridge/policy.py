"""Evaluates the policy that an authorizer returns."""

from __future__ import annotations

import re
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
    pieces = (".*" if one == "*" else "." if one == "?" else re.escape(one) for one in re.sub(r"\*+", "*", pattern))
    return re.fullmatch("".join(pieces), name, re.DOTALL) is not None


def _many(given: Any) -> Iterable[Any]:
    return given if isinstance(given, list) else [] if given is None else [given]

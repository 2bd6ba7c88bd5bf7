"""The decision: may this principal make this request?

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html, for one account, without
service control policies and session policies.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from iam.conditions import Context, Unresolved, arn_like, holds, pattern, split_pattern

Document = Mapping[str, Any]


class Decision(enum.Enum):
    """How a request is decided."""

    ALLOWED = "allowed"
    DENIED = "denied by a statement"
    NOT_ALLOWED = "allowed by no statement"


@dataclass(frozen=True, slots=True)
class Request:
    """An action on a resource. ``context`` holds the condition keys that the request has."""

    action: str
    resource: str
    context: Context = field(default_factory=dict)

    def __str__(self) -> str:
        told = "".join(f" {key}={value}" for key, value in self.context.items())
        return f"{self.action} on {self.resource}{told}"


@dataclass(frozen=True, slots=True)
class Principal:
    """A role in a session.

    Attributes:
        arn: of the role.
        policies: the role's own.
        boundary: its permissions boundary, None without one.
        context: condition keys of every request that it makes, such as its tags.
    """

    arn: str
    policies: tuple[Document, ...]
    boundary: Document | None = None
    context: Context = field(default_factory=dict)


def decide(principal: Principal, request: Request, resource_policy: Document | None = None) -> Decision:
    """Decide a request of a role on a resource of the same account."""
    context = {"aws:PrincipalArn": principal.arn, **principal.context, **request.context}
    asked = Request(request.action, request.resource, context)
    boundary = [] if principal.boundary is None else [principal.boundary]
    shared = [] if resource_policy is None else [resource_policy]
    everything = (*principal.policies, *boundary, *shared)
    if any(_says("Deny", document, asked, principal.arn) for document in everything):
        return Decision.DENIED
    own = any(_says("Allow", document, asked, principal.arn) for document in (*principal.policies, *shared))
    bounded = all(_says("Allow", document, asked, principal.arn) for document in boundary)
    return Decision.ALLOWED if own and bounded else Decision.NOT_ALLOWED


def allowed(principal: Principal, request: Request, resource_policy: Document | None = None) -> bool:
    """Tell whether a request is allowed."""
    return decide(principal, request, resource_policy) is Decision.ALLOWED


def statements(document: Document) -> list[Mapping[str, Any]]:
    """Return the statements of a document."""
    return _listed(document["Statement"])


def _says(effect: str, document: Document, request: Request, principal: str) -> bool:
    return any(_applies(one, request, principal) for one in statements(document) if one["Effect"] == effect)


def _applies(statement: Mapping[str, Any], request: Request, principal: str) -> bool:
    return (
        _principal(statement, principal)
        and _either(statement, "Action", lambda texts: any(_action(text, request.action) for text in texts))
        and _either(statement, "Resource", lambda texts: _resource(texts, request))
        and holds(statement.get("Condition", {}), request.context)
    )


def _either(statement: Mapping[str, Any], name: str, matches: Any) -> bool:
    """Evaluate an element or its negation; a statement without either one covers everything (trust policies)."""
    if f"Not{name}" in statement:
        return not matches(_listed(statement[f"Not{name}"]))
    return name not in statement or matches(_listed(statement[name]))


def _principal(statement: Mapping[str, Any], arn: str) -> bool:
    """Match who asks. Identity policies name nobody."""
    if "NotPrincipal" in statement:
        raise ValueError("NotPrincipal is not evaluated")
    given = statement.get("Principal", "*")
    if given == "*":
        return True
    named = _listed(given.get("AWS", []))
    account = arn.split(":")[4]
    return any(one in ("*", arn, account) or one.endswith(f"::{account}:root") for one in named)


def _action(text: str, action: str) -> bool:
    return bool(re.fullmatch(pattern(text, {}).pattern, action, re.IGNORECASE))


def _resource(texts: Iterable[str], request: Request) -> bool:
    return any(_matches(text, request) for text in texts)


def _matches(text: str, request: Request) -> bool:
    if text == "*":
        return True
    if len(split_pattern(text)) < 6:
        raise ValueError(f"not an ARN: {text}")
    try:
        return arn_like(request.resource, text, request.context)
    except Unresolved:
        return False


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]

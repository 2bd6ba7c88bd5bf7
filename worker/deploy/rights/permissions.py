"""The permissions of a template's roles, as a sorted list of lines that can be compared from release to release.

Pure functions. What cannot be read becomes a line as well: nothing that a role holds may be missing from the list.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from auto_lambda.model import Template
from auto_lambda.namespace import Place, listed
from auto_lambda.receipts import signed
from worker.bundle.narrow import NARROWED, is_wide
from worker.deploy.gate.symbols import Unreadable, lone_symbol, readable, render, symbol

MAX_PERMISSIONS = 5_000
"""Actions times resources, over all statements; IAM's own limits leave room for far less."""
_DOCUMENT = frozenset({"Id", "Statement", "Version"})
_STATEMENT = frozenset({"Action", "Condition", "Effect", "NotAction", "NotResource", "Resource", "Sid"})
_LONGEST = 2_048  # characters of an action or a resource, and IAM's limit for an ARN
_SHOWN = 200  # characters of what cannot be read


class TooManyPermissions(ValueError):
    """The statements of the roles multiply to more permissions than anybody could read."""


@dataclass(frozen=True, slots=True)
class Permission:
    """One action on one resource that a role of the app may, or may not, do.

    Attributes:
        effect: ``Allow`` or ``Deny``; ``Attach`` for a managed policy, ``Assume`` for a role that is not the app's own.
        action: as IAM writes it; empty for ``Attach`` and ``Assume``, and for what could not be read.
        resource: rendered, with the symbols of references; for ``Attach`` and ``Assume`` the ARN.
        condition: the statement's condition, as JSON.
        excepted: what the statement names by ``NotAction`` or ``NotResource``, as JSON.
    """

    effect: str
    action: str
    resource: str
    condition: str = ""
    excepted: str = ""

    def __str__(self) -> str:
        where = readable(self.resource)
        if self.excepted:
            return f"{self.effect} everything but what {self.excepted} names{self._limits}"
        if not self.action:
            return f"{self.effect} {where}{self._limits}"
        return f"{self.effect} {self.action} on {where}{self._limits}"

    @property
    def is_wide(self) -> bool:
        """Whether it is for every resource of a kind, and not one of those that frameworks always ask for."""
        return self.effect == "Allow" and is_wide(self.resource) and self.action.lower() not in NARROWED

    @property
    def _limits(self) -> str:
        return f" if {self.condition}" if self.condition else ""


@dataclass(frozen=True, slots=True)
class PermissionDiff:
    """The permissions of a release as lines, and what has changed since another one."""

    has: tuple[str, ...]
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    @property
    def widenings(self) -> tuple[str, ...]:
        """The changes by which the roles may do more: what is allowed anew, and what is denied no more."""
        allowed = (line for line in self.added if not line.startswith("Deny "))
        return signed(allowed, (line for line in self.removed if line.startswith("Deny ")))

    @property
    def changes(self) -> tuple[str, ...]:
        """Every change, as lines that begin with ``+`` or ``-``."""
        return signed(self.added, self.removed)


def permissions_of(template: Template, place: Place) -> tuple[Permission, ...]:
    """Return what the roles of a template hold, sorted by their lines, each once.

    Raises:
        TooManyPermissions: there are more than `MAX_PERMISSIONS`.
    """
    found = list(islice(_permissions(template, place), MAX_PERMISSIONS + 1))
    if len(found) > MAX_PERMISSIONS:
        raise TooManyPermissions(f"the roles of the app ask for more than {MAX_PERMISSIONS:,} permissions")
    return tuple(sorted(set(found), key=str))


def compare(now: Iterable[Permission], before: Iterable[Permission]) -> PermissionDiff:
    """Compare the permissions of a release with those of another."""
    new, old = set(map(str, now)), set(map(str, before))
    return PermissionDiff(tuple(sorted(new)), tuple(sorted(new - old)), tuple(sorted(old - new)))


def digest(template: Template) -> str:
    """Return a hash over the permissions of a template's roles: an approval is for exactly these.

    Pseudo parameters stay as they are, so that worker and command line find the same hash.
    """
    lines = map(str, permissions_of(template, Place("", "", "")))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _permissions(template: Template, place: Place) -> Iterator[Permission]:
    resources = template.get("Resources", {})
    for resource in resources.values():
        properties = resource.get("Properties", {})
        match resource.get("Type"):
            case "AWS::IAM::Role":
                for policy in listed(properties.get("Policies", [])):
                    yield from _document(policy, place)
                for arn in listed(properties.get("ManagedPolicyArns", [])):
                    yield Permission("Attach", "", _text(arn, place))
            case "AWS::IAM::Policy":
                yield from _document(properties, place)
            case "AWS::Lambda::Function" if "Role" in properties and not _own_role(properties["Role"], resources):
                yield Permission("Assume", "", _text(properties["Role"], place))


def _document(policy: Any, place: Place) -> Iterator[Permission]:
    document = policy.get("PolicyDocument") if isinstance(policy, Mapping) else None
    if not isinstance(document, Mapping) or not {"Statement"} <= document.keys() <= _DOCUMENT:
        yield _unreadable(policy)
        return
    for statement in listed(document["Statement"]):
        yield from _statement(statement, place)


def _statement(statement: Any, place: Place) -> Iterator[Permission]:
    effect = statement.get("Effect") if isinstance(statement, Mapping) else None
    if effect not in ("Allow", "Deny") or not _is_complete(statement):
        yield _unreadable(statement)
        return
    condition = _json(statement["Condition"]) if statement.get("Condition") else ""
    excepted = {name: statement[name] for name in ("NotAction", "NotResource") if name in statement}
    if excepted:
        yield Permission(effect, "", "", condition, _json(excepted))
        return
    for action in listed(statement.get("Action", [])):
        for resource in listed(statement.get("Resource", [])):
            yield Permission(effect, _action(action, place), _text(resource, place), condition)


def _is_complete(statement: Mapping[str, Any]) -> bool:
    """Tell whether a statement has exactly what we read of it: AWS may understand other spellings."""
    actions, resources = ({name, f"Not{name}"} & statement.keys() for name in ("Action", "Resource"))
    return len(actions) == len(resources) == 1 and statement.keys() <= _STATEMENT


def _unreadable(value: Any) -> Permission:
    return Permission("Allow", "", _summary(value))


def _action(value: Any, place: Place) -> str:
    """Write the service in lower case; IAM does not distinguish."""
    service, colon, name = _text(value, place).partition(":")
    return f"{service.lower()}{colon}{name}"


def _text(value: Any, place: Place) -> str:
    try:
        text = resolved(render(value), place)
        text = re.sub(r"^arn:\*:", f"arn:{place.partition}:", text)  # an account sees one partition only
    except Unreadable:
        return _summary(value)
    return text if len(text) <= _LONGEST else _summary(text)


def _summary(value: Any) -> str:
    text = _json(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}... (sha256 {hashlib.sha256(text.encode()).hexdigest()})"


def resolved(text: str, place: Place) -> str:
    """Replace the pseudo parameters of a rendered text by what they stand for."""
    known = {"Partition": place.partition, "Region": place.region, "AccountId": place.account}
    for name, value in known.items():
        text = text.replace(symbol(f"AWS::{name}"), value or symbol(f"AWS::{name}"))
    return text


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)


def _own_role(value: Any, resources: Mapping[str, Any]) -> bool:
    try:
        name, _, attribute = (lone_symbol(render(value)) or "").partition(".")
    except Unreadable:
        return False
    return attribute == "Arn" and resources.get(name, {}).get("Type") == "AWS::IAM::Role"

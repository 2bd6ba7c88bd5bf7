"""Grants for people: those that would cover what an app asks for, and those that it does not use."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from auto_lambda.grants import Grants, may_hold
from auto_lambda.model import Template
from auto_lambda.namespace import Place
from worker.deploy.gate.patterns import covers
from worker.deploy.gate.symbols import Unreadable, readable, render
from worker.deploy.rights.decide import LIST_ACTIONS, Statement, covered
from worker.deploy.rights.permissions import Permission, resolved


def suggested(refused: Iterable[Permission]) -> dict[str, Any]:
    """Return the smallest grants, as a grants file has them, that cover some permissions."""
    lists: dict[str, set[str]] = {}
    statements: dict[tuple[str, str], set[str]] = {}
    for one in refused:
        name, entry = _entry(one)
        if name:
            lists.setdefault(name, set()).add(entry)
        elif one.action:
            statements.setdefault((readable(one.resource), one.condition), set()).add(one.action)
    found: dict[str, Any] = {name: sorted(arns) for name, arns in sorted(lists.items())}
    if statements:
        found["statements"] = [_statement(where, if_, actions) for (where, if_), actions in sorted(statements.items())]
    return found


def unused(template: Template, asked: Iterable[Permission], grants: Grants, place: Place) -> list[str]:
    """Return which grants an app makes no use of, as ``list: entry``.

    Args:
        template: of the app's live release.
        asked: the permissions of its roles.
        grants: those of the app.
        place: of the pipeline.
    """
    texts, asked = set(_texts(template, place)), tuple(asked)
    found = []
    for name, entries in grants:
        if isinstance(entries, tuple) and name != "statements":
            found += [f"{name}: {one}" for one in entries if not any(covers(one, text) for text in texts)]
    return found + [
        f"statements: {json.dumps(one)}" for one in grants.statements if not any(covered(it, (one,)) for it in asked)
    ]


def _entry(permission: Permission) -> tuple[str | None, str]:
    """Return the list of grants that covers a permission by its resource alone, and the entry."""
    resource = readable(permission.resource)
    if not permission.action:
        return {"Attach": "managed_policies", "Assume": "roles"}.get(permission.effect), resource
    if not resource.startswith("arn:") or permission.condition:
        return None, resource
    for name, actions in LIST_ACTIONS.items():
        if _is_for(name, permission.action, resource) and any(
            covers(one.lower(), permission.action.lower()) for one in actions
        ):
            return name, resource.partition("/index/")[0] if name == "tables" else resource
    return None, resource


def _is_for(name: str, action: str, resource: str) -> bool:
    """Tell whether a list is for a resource and an action: a statement pairs each with each, also those of others."""
    return may_hold(name, resource) and resource.split(":")[2] == action.partition(":")[0]


def _statement(resource: str, condition: str, actions: Iterable[str]) -> Statement:
    statement = {"Effect": "Allow", "Action": sorted(actions), "Resource": resource}
    return {**statement, "Condition": json.loads(condition)} if condition else statement


def _texts(value: Any, place: Place) -> Iterator[str]:
    try:
        yield resolved(render(value), place)
    except Unreadable:
        inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
        for one in inner:
            yield from _texts(one, place)

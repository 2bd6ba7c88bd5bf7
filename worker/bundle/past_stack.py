"""What of a release a worker can bring about past the stack, which follows: code and plain settings of functions. Pure.

CloudFormation compares templates, and a worker knows what references stand for only from a version that the stack made.
So all else is left to CloudFormation.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from auto_lambda.model import Template
from worker.bundle.expand import UNPUBLISHED, expanded
from worker.bundle.pointers import variables

Settings = Mapping[str, Any]

SETTINGS = frozenset({"Environment", "Handler", "MemorySize", "Timeout"})
"""Properties of a function that are set past the stack; there they have the same names."""
_FORMS: Mapping[str, type] = {"Handler": str, "MemorySize": int, "Timeout": int}
_FUNCTION, _LAYER = "AWS::Lambda::Function", "AWS::Lambda::LayerVersion"
_ELSEWHERE = UNPUBLISHED | {"Code", "Layers", "Environment"}


def needs_nothing_new(live: Template, wanted: Template) -> bool:
    """Tell whether a stack has all that the functions of a release refer to, layers aside.

    Args:
        live: what the stack has.
        wanted: the release.
    """
    there, later = live["Resources"], wanted["Resources"]
    return all(
        name in there
        and later.get(name, one)["Type"] == there[name]["Type"]
        and (one == there[name] or one["Type"] == _FUNCTION)
        for name, one in expanded(live, wanted)["Resources"].items()
        if one["Type"] != _LAYER
    )


def settings(live: Settings, wanted: Settings, released: Settings) -> dict[str, Any] | None:
    """Return the settings of a release's function, but for layers; None if that cannot be told.

    Args:
        live: properties of the function in the stack's template.
        wanted: those in the release's.
        released: settings of the version that was made of the stack's.
    """
    changed = {name for name in live.keys() | wanted.keys() if live.get(name) != wanted.get(name)} - _ELSEWHERE
    environment = _environment(variables(live), variables(wanted), variables(released))
    if environment is None or not all(
        name in _FORMS and isinstance(wanted.get(name), _FORMS[name]) for name in changed
    ):
        return None
    plain = {name: wanted[name] for name in changed}
    return {**released, **plain, "Environment": {"Variables": environment}}


def same_layers(live: Settings, wanted: Settings) -> bool:
    """Tell whether a function keeps its layers."""
    same: bool = live.get("Layers") == wanted.get("Layers")
    return same


def _environment(live: Settings, wanted: Settings, released: Settings) -> dict[str, Any] | None:
    """Return the variables of a release; None if some are not known, or Lambda did not tell those of the version."""
    told = released.keys() == live.keys() and all(released[name] == it for name, it in live.items() if _plain(it))
    if not told:
        return None
    known = {name: released[name] if live.get(name) == it else it for name, it in wanted.items()}
    return known if all(map(_plain, known.values())) else None


def _plain(value: object) -> bool:
    return isinstance(value, str)

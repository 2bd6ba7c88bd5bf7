"""Checks every text of a template, wherever it stands: its functions, references, and dynamic references.

CloudFormation resolves ``{{resolve:...}}`` with the pipeline's rights, in any text and after joining its parts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from auto_lambda.model import Template
from worker.bundle import pointers
from worker.deploy.gate.symbols import Unreadable, render, symbols
from worker.deploy.gate.template import Violation

_INTRINSICS = frozenset({"Ref", "Fn::GetAtt", "Fn::Join", "Fn::Sub"})
# `AWS::NoValue` would take a property out after it was checked.
_PSEUDO = frozenset(
    f"AWS::{name}" for name in ("AccountId", "Partition", "Region", "StackId", "StackName", "URLSuffix")
)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b-\u200f\u2028\u2029\u2060\ufeff]")
# Also what a reference inside the braces may turn into one.
_DYNAMIC = re.compile(r"resolve\s*:|\x01", re.IGNORECASE)


def problems(template: Template) -> Iterator[Violation]:
    """Yield every text of the template that is not allowed, by the resource, output or section that it is in."""
    known = _PSEUDO | template["Resources"].keys() | pointers.declared(template).keys()
    for section, content in sorted(template.items()):
        if section in {"Resources", "Outputs"} and isinstance(content, Mapping):
            for name, value in sorted(content.items()):
                yield from (Violation(name, rule) for rule in (*_literal(name), *judge(value, known)))
        else:
            yield from (Violation(section, rule) for rule in judge(content, known))


def judge(value: Any, known: frozenset[str]) -> Iterator[str]:
    """Yield what is wrong with the texts in a value; ``known`` is what they may refer to."""
    if isinstance(value, list):
        for item in value:
            yield from judge(item, known)
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield from _literal(name)
            if name.startswith("Fn::") and name not in _INTRINSICS:
                yield f"the function {name} is not allowed"
            yield from judge(item, known)
        if value.keys() & _INTRINSICS:
            yield from _rendered(value, known)
    elif isinstance(value, str):
        yield from _literal(value)


def _literal(text: str) -> Iterator[str]:
    if _CONTROL.search(text):
        yield "control characters are not allowed"
    yield from _dynamic(_CONTROL.sub("", text))


def _rendered(value: Mapping[str, Any], known: frozenset[str]) -> Iterator[str]:
    try:
        text = render(value)
    except Unreadable:
        yield f"{', '.join(sorted(value))} cannot be read: use Ref, Fn::GetAtt, Fn::Join and Fn::Sub with plain text"
        return
    yield from _dynamic(text)
    for name in sorted({one.partition(".")[0] for one in symbols(text)} - known):
        yield f"it refers to {name}, which is not in this template"


def _dynamic(text: str) -> Iterator[str]:
    inside = (part.partition("{{")[2] for part in text.split("}"))
    if any(map(_DYNAMIC.search, inside)):
        yield "dynamic references ({{resolve:...}}) are not allowed: read parameters and secrets at run time"

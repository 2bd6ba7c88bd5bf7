"""The gate's view of a template, and its findings."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from worker.deploy.gate.patterns import covers
from worker.deploy.gate.symbols import ACCOUNT, PARTITION, REGION, Unreadable, lone_symbol, render, symbol

Properties = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Violation:
    """A reason to refuse a template. ``resource`` is a logical id, or a section of the template."""

    resource: str
    rule: str

    def __str__(self) -> str:
        return f"{self.resource}: {self.rule}"


@dataclass(frozen=True, slots=True)
class Call:
    """Something that invokes a function.

    Attributes:
        resource: logical id of the caller.
        target: rendered; right if it is the lone symbol of an alias.
        service: the principal that needs a permission, None if the caller acts under a role.
        sources: for each ARN that the caller may have, the ways to write it; one of them must be permitted.
    """

    resource: str
    target: str
    service: str | None = None
    sources: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class TemplateView:
    """The resources of a template, with the look-ups that the gate needs."""

    resources: Mapping[str, Mapping[str, Any]]

    def of(self, kind: str) -> Iterator[tuple[str, Properties]]:
        """Yield logical id and properties of each resource of a type, which is given without ``AWS::``."""
        for name, resource in sorted(self.resources.items()):
            if resource["Type"] == f"AWS::{kind}":
                yield name, resource.get("Properties", {})

    def refers_to(self, value: Any, kind: str, attribute: str | None = None) -> str | None:
        """Return the logical id if the value is only a reference to a resource of that type (or its attribute)."""
        name, _, asked = (lone_symbol(text(value)) or "").partition(".")
        if asked != (attribute or "") or self.resources.get(name, {}).get("Type") != f"AWS::{kind}":
            return None
        return name

    def function(self, value: Any) -> str | None:
        """Return the logical id of the function whose name or ARN a value is."""
        kind = "Lambda::Function"
        return self.refers_to(value, kind) or self.refers_to(value, kind, "Arn")

    @cached_property
    def live(self) -> Mapping[str, str]:
        """Function by alias, for every alias that is called ``live`` and names a function of the template."""
        found = {}
        for name, properties in self.of("Lambda::Alias"):
            function = self.function(properties.get("FunctionName"))
            if function and properties.get("Name") == "live":
                found[name] = function
        return found


def text(value: Any) -> str:
    """Return the rendered value, empty if it is no text (and so matches nothing)."""
    try:
        return render(value)
    except Unreadable:
        return ""


_PARTITION = rf"(?:{PARTITION}|aws(?:-[a-z]+)*)"
_REGION = rf"(?:{REGION}|[a-z]{{2}}(?:-[a-z]+)+-\d)"
_INVOCATION = re.compile(rf"arn:{_PARTITION}:apigateway:{_REGION}:lambda:path/2015-03-31/functions/([^/]+)/invocations")


def invoked(uri: Any) -> str:
    """Return what the URI of an integration or authorizer invokes, rendered; the URI itself if it has another form."""
    rendered = text(uri)
    found = _INVOCATION.fullmatch(rendered)
    return found[1] if found else rendered


def api_source(api: str, request: str) -> tuple[str, ...]:
    """Return the source ARN of an API's request, which is given as ``stage/METHOD/path``."""
    return (f"arn:{PARTITION}:execute-api:{REGION}:{ACCOUNT}:{symbol(api)}/{request}",)


def allows(pattern: str, source: str) -> bool:
    """Tell whether the ``SourceArn`` of a permission, with its wildcards, covers a source."""
    return covers(_general(pattern), _general(source))


def _general(arn: str) -> str:
    return re.sub(rf"^arn:{_PARTITION}:", f"arn:{PARTITION}:", arn)

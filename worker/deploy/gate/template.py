"""A template as the static gate looks at it, and the findings that it makes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from worker.deploy.gate.symbols import ACCOUNT, PARTITION, REGION, Unreadable, lone_symbol, render, symbol

Properties = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Violation:
    """Why a template is refused. ``resource`` is a logical id, or a section of the template."""

    resource: str
    rule: str

    def __str__(self) -> str:
        return f"{self.resource}: {self.rule}"


@dataclass(frozen=True, slots=True)
class Call:
    """Something that invokes a function.

    Attributes:
        resource: logical id of what calls.
        target: rendered; right if it is the lone symbol of an alias.
        service: the principal that needs a permission, None where the caller acts under a role.
        sources: for each ARN that the caller may come with, the ways to write it; one of them must be permitted.
    """

    resource: str
    target: str
    service: str | None = None
    sources: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class TemplateView:
    """The resources of a template, by what the gate asks of them."""

    resources: Mapping[str, Mapping[str, Any]]

    def of(self, kind: str) -> Iterator[tuple[str, Properties]]:
        """Logical id and properties of each resource of a type, without its ``AWS::``."""
        for name, resource in sorted(self.resources.items()):
            if resource["Type"] == f"AWS::{kind}":
                yield name, resource.get("Properties", {})

    def refers_to(self, value: Any, kind: str, attribute: str | None = None) -> str | None:
        """The logical id if the value is nothing but a reference to a resource of that type (or its attribute)."""
        name, _, asked = (lone_symbol(text(value)) or "").partition(".")
        if asked != (attribute or "") or self.resources.get(name, {}).get("Type") != f"AWS::{kind}":
            return None
        return name

    def function(self, value: Any) -> str | None:
        """The logical id of the function that a value names or whose ARN it is."""
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
    """The value rendered, empty if it stands for no text (and so fits nothing that is asked for)."""
    try:
        return render(value)
    except Unreadable:
        return ""


_PARTITION = rf"(?:{PARTITION}|aws(?:-[a-z]+)*)"
_REGION = rf"(?:{REGION}|[a-z]{{2}}(?:-[a-z]+)+-\d)"
_INVOCATION = re.compile(rf"arn:{_PARTITION}:apigateway:{_REGION}:lambda:path/2015-03-31/functions/([^/]+)/invocations")


def invoked(uri: Any) -> str:
    """What an API's integration or authorizer URI invokes, rendered; the URI itself if it has another form."""
    rendered = text(uri)
    found = _INVOCATION.fullmatch(rendered)
    return found[1] if found else rendered


def api_source(api: str, request: str) -> tuple[str, ...]:
    """The ARN that a request of an API comes with, as ``stage/METHOD/path``."""
    return (f"arn:{PARTITION}:execute-api:{REGION}:{ACCOUNT}:{symbol(api)}/{request}",)


def allows(pattern: str, source: str) -> bool:
    """Whether the ``SourceArn`` of a permission, with its wildcards, covers a source."""
    expression = "".join({"*": ".*", "?": "."}.get(char, re.escape(char)) for char in _general(pattern))
    return re.fullmatch(expression, _general(source), re.DOTALL) is not None


def _general(arn: str) -> str:
    return re.sub(rf"^arn:{_PARTITION}:", f"arn:{PARTITION}:", arn)

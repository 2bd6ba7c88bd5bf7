"""Finds variables that are too large together, and tags whose names are not the app's to set."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from auto_lambda.model import Template
from builder.lint.refusal import Refusal

MOST_BYTES = 4096
"""Of all variables of a function, as JSON (Lambda Developer Guide, 'Lambda quotas')."""

_OURS = {"AUTO_LAMBDA_RELEASE": "0" * 12}  # which every function gets besides
_RESERVED = ("aws:", "auto-lambda:")
_FUNCTION = "AWS::Lambda::Function"


def findings(template: Template, environment: Mapping[str, str]) -> Iterator[Refusal]:
    """Yield what AWS refuses.

    Args:
        template: a draft's.
        environment: variables that every function has besides its own.
    """
    for name, resource in sorted(template["Resources"].items()):
        properties = resource.get("Properties", {})
        given = properties.get("Environment")
        own = given.get("Variables") if isinstance(given, dict) else None
        variables = {**own, **environment} if isinstance(own, dict) else environment
        if resource["Type"] == _FUNCTION and (reason := why_too_large(variables)):
            yield Refusal(name, _FUNCTION, ("Environment",), reason)
        for reason in why_reserved(_keys(properties.get("Tags"))):
            yield Refusal(name, resource["Type"], ("Tags",), reason)


def why_too_large(variables: Mapping[str, Any]) -> str | None:
    """Return why a function cannot have these variables, None if it can."""
    text = json.dumps({**variables, **_OURS}, ensure_ascii=False, separators=(",", ":"), default=str)
    size = len(text.encode(errors="surrogatepass"))
    if size <= MOST_BYTES:
        return None
    return f"all variables together are {size:,} bytes as JSON, of which a function has at most {MOST_BYTES:,}"


def why_reserved(tags: Iterable[Any]) -> Iterator[str]:
    """Yield a reason for each name of a tag that an app may not set."""
    for tag in tags:
        if isinstance(tag, str) and tag.strip().casefold().startswith(_RESERVED):
            yield f"the tag {tag[:128]!r} is not the app's to set: aws: and auto-lambda: are reserved beginnings"


def _keys(tags: Any) -> list[Any]:
    if isinstance(tags, Mapping):
        return list(tags)
    return [tag.get("Key") for tag in tags if isinstance(tag, Mapping)] if isinstance(tags, list) else []

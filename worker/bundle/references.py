"""Turn references to a function into references to its alias, in all of CloudFormation's forms."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

_VARIABLE = re.compile(r"\$\{([A-Za-z0-9:.]+)\}")
_ARN_OF = (
    r"arn:(?:\$\{AWS::Partition\}|aws[a-z-]*):lambda"
    r":(?:\$\{AWS::Region\}|[a-z0-9-]+):(?:\$\{AWS::AccountId\}|\d{12}):function:"
)


def to_alias(value: Any, aliases: Mapping[str, str]) -> Any:
    """Copy ``value`` with every reference to a function replaced by one to its alias, whose ``Ref`` is a full ARN.

    Args:
        value: any part of a template, in a place that wants the ARN of something to invoke.
        aliases: logical id of the alias by logical id of the function.
    """
    if isinstance(value, list):
        return [to_alias(item, aliases) for item in value]
    if not isinstance(value, dict):
        return value
    text = _as_text(value)
    if text is not None and any(name.split(".")[0] in aliases for name in _VARIABLE.findall(text)):
        return _reference(_rename(text, aliases))
    return {name: to_alias(item, aliases) for name, item in value.items()}


def referenced(value: Any) -> Iterator[str]:
    """Logical ids (and pseudo parameters) that a part of a template refers to, as often as it does."""
    if isinstance(value, list):
        for item in value:
            yield from referenced(item)
    elif isinstance(value, dict):
        text = _as_text(value)
        if text is not None:
            yield from (name.split(".")[0] for name in _VARIABLE.findall(text))
        else:
            for item in value.values():
                yield from referenced(item)


def _rename(text: str, aliases: Mapping[str, str]) -> str:
    for function, alias in aliases.items():
        text = re.sub(rf"{_ARN_OF}\$\{{{function}\}}", f"${{{alias}}}", text)
        text = text.replace(f"${{{function}.Arn}}", f"${{{alias}}}")
        if text == f"${{{function}}}":
            text = f"${{{alias}}}"
    return text


def _reference(text: str) -> dict[str, Any]:
    """Return the shortest form: ``Ref`` for a lone reference to a whole resource, else ``Fn::Sub``."""
    alone = _VARIABLE.fullmatch(text)
    return {"Ref": alone[1]} if alone and "." not in alone[1] else {"Fn::Sub": text}


def _as_text(value: Any) -> str | None:
    """An intrinsic (or literal) in the notation of a plain ``Fn::Sub``; None if it cannot be written so."""
    if isinstance(value, str):
        return None if "$" in value else value  # put together, literals could read as references
    match value:
        case {"Ref": str(name), **rest} if not rest:
            return f"${{{name}}}"
        case {"Fn::GetAtt": [str(name), str(attribute)], **rest} if not rest:
            return f"${{{name}.{attribute}}}"
        case {"Fn::GetAtt": str(path), **rest} if not rest:
            return f"${{{path}}}"
        case {"Fn::Sub": str(text), **rest} if not rest:
            return text
        case {"Fn::Sub": [str(text), dict(variables)], **rest} if not rest:
            return _inlined(text, variables)
        case {"Fn::Join": [str(between), list(parts)], **rest} if not rest:
            texts = [_as_text(part) for part in parts]
            return None if None in texts else between.join(text for text in texts if text is not None)
    return None


def _inlined(text: str, variables: dict[str, Any]) -> str | None:
    texts = {name: _as_text(value) for name, value in variables.items()}
    if None in texts.values():
        return None
    return _VARIABLE.sub(lambda found: texts.get(found[1]) or found[0], text)

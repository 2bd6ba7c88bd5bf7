"""Evaluates CloudFormation intrinsics as far as possible without AWS: references become symbols in the text.

The gate compares what templates *mean*, not how they are written, and shares nothing with the code that wrote them.
"""

from __future__ import annotations

import re
from typing import Any

_VARIABLE = re.compile(r"\$\{(!?)([^}]*)\}")
_OPEN, _CLOSE = "\x01", "\x02"
_SYMBOL = re.compile(f"{_OPEN}([^{_OPEN}{_CLOSE}]*){_CLOSE}")


class Unreadable(ValueError):
    """The value is not text, or uses an intrinsic function that is not allowed."""


def symbol(name: str) -> str:
    """Return what a reference renders to: ``Fn`` for ``Ref``, ``Fn.Arn`` for ``Fn::GetAtt``, ``AWS::Region``..."""
    return f"{_OPEN}{name}{_CLOSE}"


PARTITION, REGION, ACCOUNT = (symbol(f"AWS::{name}") for name in ("Partition", "Region", "AccountId"))


def lone_symbol(text: str) -> str | None:
    """Return the name of the symbol if the whole text is one, else None."""
    found = _SYMBOL.fullmatch(text)
    return found[1] if found else None


def symbols(text: str) -> list[str]:
    """Return the names of all symbols in a text."""
    return _SYMBOL.findall(text)


def readable(text: str) -> str:
    """Return a rendered text in the notation of ``Fn::Sub``, for messages."""
    return _SYMBOL.sub(r"${\1}", text)


def render(value: Any) -> str:
    """Render a value as text.

    Raises:
        Unreadable: it is no text, or uses a function other than Ref, GetAtt, Sub and Join.
    """
    match value:
        case str():
            if _OPEN in value or _CLOSE in value:
                raise Unreadable("it has control characters")
            return value
        case {"Ref": str(name), **rest} if not rest:
            return symbol(name)
        case {"Fn::GetAtt": [str(name), str(attribute)], **rest} if not rest:
            return symbol(f"{name}.{attribute}")
        case {"Fn::GetAtt": str(path), **rest} if not rest:
            return symbol(path)
        case {"Fn::Join": [str(between), list(parts)], **rest} if not rest:
            return between.join(render(part) for part in parts)
        case {"Fn::Sub": str(text), **rest} if not rest:
            return _substituted(render(text), {})
        case {"Fn::Sub": [str(text), dict(variables)], **rest} if not rest:
            return _substituted(render(text), variables)
    raise Unreadable("it is not text")


def _substituted(text: str, variables: dict[str, Any]) -> str:
    def one(found: re.Match[str]) -> str:
        literal, name = found.groups()
        if literal:
            return f"${{{name}}}"
        return render(variables[name]) if name in variables else symbol(name)

    return _VARIABLE.sub(one, text)

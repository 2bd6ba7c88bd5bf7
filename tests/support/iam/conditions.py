"""Condition blocks of IAM policies.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import cache
from typing import Any

Context = Mapping[str, "str | tuple[str, ...]"]
_ANY, _ALL = "ForAnyValue:", "ForAllValues:"
_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_LITERAL = {"*": "*", "?": "?", "$": "$"}


class UnknownOperator(ValueError):
    """The evaluator does not know this operator, so it must not guess."""


class Unresolved(Exception):
    """A policy variable has no value in this request."""


def lookup(context: Context, key: str) -> tuple[str, ...] | None:
    """Return the values of a key, None if the request does not have it. Keys are compared without case."""
    for name, value in context.items():
        if name.lower() == key.lower():
            return (value,) if isinstance(value, str) else value
    return None


def pattern(text: str, context: Context, *, wild: bool = True) -> re.Pattern[str]:
    """Return the expression that a policy's text stands for; a variable's value is literal, whatever is in it.

    Raises:
        Unresolved: a variable has no value.
    """
    if "$" not in text:
        return _compiled(text, wild=wild)
    parts, end = [], 0
    for found in _VARIABLE.finditer(text):
        parts += [_plain(text[end : found.start()], wild=wild), re.escape(_value(found[1], context))]
        end = found.end()
    return re.compile("".join([*parts, _plain(text[end:], wild=wild)]), re.DOTALL)


@cache
def _compiled(text: str, *, wild: bool) -> re.Pattern[str]:
    return re.compile(_plain(text, wild=wild), re.DOTALL)


def holds(block: Mapping[str, Mapping[str, Any]], context: Context) -> bool:
    """Tell whether every condition of a block is met."""
    return all(
        _condition(operator, key, tuple(map(_text, wanted if isinstance(wanted, list) else [wanted])), context)
        for operator, keys in block.items()
        for key, wanted in keys.items()
    )


def _condition(operator: str, key: str, wanted: tuple[str, ...], context: Context) -> bool:
    given = lookup(context, key)
    if operator == "Null":
        return any((given is None) == (one == "true") for one in wanted)
    quantifier = next((one for one in (_ANY, _ALL) if operator.startswith(one)), "")
    name = operator.removeprefix(quantifier)
    base = name.removesuffix("IfExists")
    if base not in _OPERATORS:
        raise UnknownOperator(operator)
    negated, compare = _OPERATORS[base]
    if given is None or (quantifier and not given):
        return quantifier != _ANY and (bool(quantifier) or name != base or negated)
    return _compared(quantifier, [_one(compare, value, wanted, context) != negated for value in given], negated=negated)


def _compared(quantifier: str, results: list[bool], *, negated: bool) -> bool:
    if quantifier == _ALL or (not quantifier and negated):
        return all(results)
    return any(results)


def _one(compare: Callable[[str, str, Context], bool], value: str, wanted: Iterable[str], context: Context) -> bool:
    return any(_resolved(compare, value, one, context) for one in wanted)


def _resolved(compare: Callable[[str, str, Context], bool], value: str, wanted: str, context: Context) -> bool:
    try:
        return compare(value, wanted, context)
    except Unresolved:
        return False


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _plain(text: str, *, wild: bool) -> str:
    escaped = re.escape(text)
    return escaped.replace(r"\*", ".*").replace(r"\?", ".") if wild else escaped


def _value(name: str, context: Context) -> str:
    if name in _LITERAL:
        return _LITERAL[name]
    key, _, default = name.partition(",")
    values = lookup(context, key.strip())
    if values is not None and len(values) == 1:
        return values[0]
    if default:
        return default.strip().removeprefix("'").removesuffix("'")
    raise Unresolved(name)


def _string_equals(value: str, wanted: str, context: Context) -> bool:
    return bool(pattern(wanted, context, wild=False).fullmatch(value))


def _ignoring_case(value: str, wanted: str, context: Context) -> bool:
    return bool(re.fullmatch(pattern(wanted, context, wild=False).pattern, value, re.IGNORECASE))


def _string_like(value: str, wanted: str, context: Context) -> bool:
    return bool(pattern(wanted, context).fullmatch(value))


def arn_like(value: str, wanted: str, context: Context) -> bool:
    """Compare two ARNs part by part, so that no wildcard leads past a colon before the last part."""
    parts, expected = value.split(":", 5), split_pattern(wanted)
    return len(parts) == len(expected) and all(
        _string_like(part, one, context) for part, one in zip(parts, expected, strict=True)
    )


def split_pattern(text: str) -> list[str]:
    """Split an ARN into its six parts at colons that are not in a variable's name."""
    kept = _VARIABLE.sub(lambda found: found[0].replace(":", "\0"), text)
    return [part.replace("\0", ":") for part in kept.split(":", 5)]


def _bool(value: str, wanted: str, _: Context) -> bool:
    return value.lower() == wanted.lower()


def _ip(value: str, wanted: str, _: Context) -> bool:
    return ipaddress.ip_address(value) in ipaddress.ip_network(wanted)


def _number(compare: Callable[[float, float], bool]) -> Callable[[str, str, Context], bool]:
    return lambda value, wanted, _: compare(float(value), float(wanted))


def _date(compare: Callable[[datetime, datetime], bool]) -> Callable[[str, str, Context], bool]:
    return lambda value, wanted, _: compare(datetime.fromisoformat(value), datetime.fromisoformat(wanted))


_OPERATORS: Mapping[str, tuple[bool, Callable[[str, str, Context], bool]]] = {
    "StringEquals": (False, _string_equals),
    "StringNotEquals": (True, _string_equals),
    "StringEqualsIgnoreCase": (False, _ignoring_case),
    "StringNotEqualsIgnoreCase": (True, _ignoring_case),
    "StringLike": (False, _string_like),
    "StringNotLike": (True, _string_like),
    "ArnEquals": (False, arn_like),
    "ArnLike": (False, arn_like),
    "ArnNotEquals": (True, arn_like),
    "ArnNotLike": (True, arn_like),
    "Bool": (False, _bool),
    "IpAddress": (False, _ip),
    "NotIpAddress": (True, _ip),
    "NumericEquals": (False, _number(lambda one, other: one == other)),
    "NumericNotEquals": (True, _number(lambda one, other: one == other)),
    "NumericLessThan": (False, _number(lambda one, other: one < other)),
    "NumericLessThanEquals": (False, _number(lambda one, other: one <= other)),
    "NumericGreaterThan": (False, _number(lambda one, other: one > other)),
    "NumericGreaterThanEquals": (False, _number(lambda one, other: one >= other)),
    "DateEquals": (False, _date(lambda one, other: one == other)),
    "DateLessThan": (False, _date(lambda one, other: one < other)),
    "DateGreaterThan": (False, _date(lambda one, other: one > other)),
}

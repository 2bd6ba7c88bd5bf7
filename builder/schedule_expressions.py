"""Checks schedule expressions: `rate(5 minutes)`, `cron(0 12 * * ? *)`, and for schedules `at(2030-01-01T12:00:00)`.

The rules are those of the EventBridge User Guide, 'Schedule patterns', and of the EventBridge Scheduler User Guide,
'Schedule types'.
"""

from __future__ import annotations

import re

_RATE = re.compile(r"rate\((\d{1,9}) (minute|hour|day)(s?)\)")
_AT = re.compile(r"at\(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\)")
_CRON = re.compile(r"cron\(([^()]{0,200})\)")
_MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
_DAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]
_FIELDS: tuple[tuple[str, int, int, list[str]], ...] = (
    ("minutes", 0, 59, []),
    ("hours", 0, 23, []),
    ("day of month", 1, 31, []),
    ("month", 1, 12, _MONTHS),
    ("day of week", 1, 7, _DAYS),
    ("year", 1970, 2199, []),
)
_ITEM = re.compile(r"(\*|\?|L|LW|\w{1,4}(?:-\w{1,4}|W|L|#[1-5])?)(?:/(\d{1,4}))?")


def refused(expression: str, *, once: bool = False) -> str | None:
    """Return why an expression is refused, None if it is not.

    Args:
        expression: ``rate(...)``, ``cron(...)`` or ``at(...)``.
        once: whether ``at(...)`` is taken.
    """
    shown = f"{expression[:100]!r} is not a schedule"
    if once and _AT.fullmatch(expression):
        return None
    if found := _RATE.fullmatch(expression):
        reason = _rate(int(found[1]), found[2], found[3])
    elif found := _CRON.fullmatch(expression):
        reason = _cron(found[1].split())
    else:
        reason = "write rate(5 minutes) or cron(0 12 * * ? *)"
    return f"{shown}: {reason}" if reason else None


def _rate(count: int, unit: str, plural: str) -> str | None:
    if not count:
        return "the number must be at least 1"
    if (count == 1) == bool(plural):
        return f"it is rate({count} {unit})" if count == 1 else f"it is rate({count} {unit}s)"
    return None


def _cron(fields: list[str]) -> str | None:
    if len(fields) != len(_FIELDS):
        return (
            f"cron takes six fields, here are {len(fields)}: minutes, hours, day of month, month, day of week, year, "
            "as in cron(0 12 * * ? *)"
        )
    for text, (word, lowest, highest, names) in zip(fields, _FIELDS, strict=True):
        if not all(_is_item(item, lowest, highest, names) for item in text.split(",")):
            return f"{text[:40]!r} is not a value for {word}"
    if [fields[2], fields[4]].count("?") != 1:
        return "one of day of month and day of week must be ?, and only one"
    return None


def _is_item(item: str, lowest: int, highest: int, names: list[str]) -> bool:
    found = _ITEM.fullmatch(item.upper())
    if found is None:
        return False
    first = found[1]
    if first in {"*", "?", "L", "LW"}:
        return True
    values = re.split(r"-", re.sub(r"#\d$|(?<=\d)[WL]$", "", first))
    return all(value in names or (value.isdecimal() and lowest <= int(value) <= highest) for value in values)

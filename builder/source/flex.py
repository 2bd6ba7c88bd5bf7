"""Read ``[flex]`` of ``auto-lambda.toml``: when an app moves to Fargate and back, and what runs it there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from builder.protocol.flex import FARGATE, HYSTERESIS, MEASURES, FlexMessage
from builder.source import documents

_DURATIONS = ("up_after", "down_after", "cool_down", "ttl")
_DURATION = re.compile(r"([0-9]{1,6})(s|m|h)")
_UNITS = {"s": 1, "m": 60, "h": 3600}
_PAIR = ("above", "below")
_MOST_SHOWN = 10

_THRESHOLDS = "numbers greater than 0, as in {above = 200, below = 100}"
_TIME = "a time such as '90s', '5m' or '2h'"
_MEANINGS: Mapping[str, str] = {
    "above": "a number greater than 0, at most 10,000,000",
    "below": "a number greater than 0, at most 10,000,000",
    "concurrency": f"requests in progress: {_THRESHOLDS}",
    "monthly_cost": f"USD a month: {_THRESHOLDS}",
    "up_after": f"{_TIME}, 1 second to 24 hours",
    "down_after": f"{_TIME}, 1 second to 24 hours",
    "min_tasks": "a number of tasks, 1 to 500",
    "max_tasks": "a number of tasks, 1 to 500",
    "cpu": f"one of {', '.join(map(str, FARGATE))} units; 1024 are one core",
    "memory": "a number of MB that Fargate offers with that cpu",
    "domain": "a domain name in lower case, as in 'shop.example.com'",
    "variant": "'dns' or 'standing-load-balancer'",
    "ttl": f"{_TIME}, 1 second to an hour",
    "cool_down": f"{_TIME}, at most 24 hours",
    "transitions_per_hour": "a number of steps, 4 to 1000; up and down again takes 6",
    "network": "'own' or 'given'",
}
SETTINGS = tuple(_MEANINGS)
"""What the table may hold."""


def read_flex(file: str, table: Mapping[str, Any]) -> FlexMessage:
    """Read the table.

    Args:
        file: its path in the zip, for messages.
        table: as in the file.

    Raises:
        AppError: ``bad-config``; everything that is wrong is named at once.
    """
    wrong = [f"flex.{name} is no setting" for name in sorted(set(table) - set(SETTINGS))]
    values = {name: _seconds(value) if name in _DURATIONS else value for name, value in table.items()}
    wrong += _pick_measure(values)
    if not wrong:
        try:
            return FlexMessage.model_validate(values)
        except ValidationError as error:
            wrong += _mistakes(error, values)
    hint = f"The settings of [flex] are: {', '.join(SETTINGS)}. The page about flex describes them."
    raise documents.bad_config(file, "; ".join(wrong[:_MOST_SHOWN]), hint=hint)


def _seconds(value: Any) -> Any:
    """Return a duration in seconds; what is none stays, to be refused."""
    found = _DURATION.fullmatch(value) if isinstance(value, str) else None
    return int(found[1]) * _UNITS[found[2]] if found else value


def _pick_measure(values: dict[str, Any]) -> list[str]:
    """Replace the measure by what it stands for; return what is wrong with it."""
    plain = {name: values.pop(name) for name in _PAIR if name in values}
    tables = {name: values.pop(name) for name in MEASURES[1:] if name in values}
    if bool(plain) + len(tables) != 1:
        given = ", ".join([*plain, *tables]) or "none"
        return [f"flex needs one measure (above and below, concurrency, or monthly_cost), and has {given}"]
    measure, pair = next(iter(tables.items()), (MEASURES[0], plain))
    if not isinstance(pair, dict) or set(pair) != set(_PAIR):
        where = "flex" if measure == MEASURES[0] else f"flex.{measure}"
        return [f"{where} needs above and below, and nothing else, as in {{above = 200, below = 100}}"]
    numbers = {name: float(one) if _is_number(one) else one for name, one in pair.items()}
    values.update(measure=measure, **numbers)
    return []


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e12


def _mistakes(error: ValidationError, values: Mapping[str, Any]) -> Iterator[str]:
    for one in error.errors(include_url=False):
        if one["loc"]:
            name = str(one["loc"][0])
            yield f"flex.{name} is {documents.short_repr(one['input'])}, but has to be {_MEANINGS[name]}"
        else:
            yield _conflict(FlexMessage.model_construct(**values))


def _conflict(read: FlexMessage) -> str:
    """Say which values do not go together."""
    if read.below > HYSTERESIS * read.above:
        return (
            f"flex.below is {read.below:g} with above = {read.above:g}: the thresholds would flap, and move the app to "
            f"Fargate and back all the time; below has to be at most {HYSTERESIS * read.above:g}, "
            f"{HYSTERESIS:.0%} of above"
        )
    if read.min_tasks > read.max_tasks:
        return f"flex.min_tasks is {read.min_tasks}, more than max_tasks, {read.max_tasks}"
    if read.cpu not in FARGATE:
        return f"flex.cpu is {read.cpu}, but has to be {_MEANINGS['cpu']}"
    offered = FARGATE[read.cpu]
    return (
        f"flex.memory is {read.memory}, but with cpu = {read.cpu} Fargate offers "
        f"{', '.join(map(str, offered[:5]))}{f', ... {offered[-1]}' if len(offered) > 5 else ''} MB"
    )

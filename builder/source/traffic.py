"""Read ``[traffic]`` of ``auto-lambda.toml``: how a new release takes the traffic over."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from builder.protocol.traffic import MOST_ALARMS, TrafficMessage
from builder.source import documents

_INTERVAL = re.compile(r"([0-9]{1,5})(s|m|h)")
_UNITS = {"s": 1, "m": 60, "h": 3600}
_KINDS = ("canary", "linear")
_PAIR = ("percent", "interval")
_MOST_SHOWN = 10

_MEANINGS: Mapping[str, str] = {
    "canary": 'a share and a time, as in {percent = 10, interval = "10m"}',
    "linear": 'a share and a time, as in {percent = 20, interval = "2m"}',
    "percent": "a whole number, 1 to 99",
    "interval": "a time such as '90s', '10m' or '2h', 5 seconds to 24 hours",
    "stages": "a list of stages of upload keys, as in ['prod']",
    "errors": "percent of the new version's calls that may fail, 0 to 100",
    "slower": "how many times as long its calls may take, 1 to 100",
    "alarms": f"a list of ARNs of CloudWatch alarms, {MOST_ALARMS} at most",
}
SETTINGS = tuple(name for name in _MEANINGS if name not in _PAIR)
"""What the table may hold."""


def read_traffic(file: str, table: Mapping[str, Any]) -> TrafficMessage:
    """Read the table.

    Args:
        file: its path in the zip, for messages.
        table: as in the file.

    Raises:
        AppError: ``bad-config``; everything that is wrong is named at once.
    """
    wrong = [f"traffic.{name} is no setting" for name in sorted(set(table) - set(SETTINGS))]
    values = dict(table)
    wrong += _pick_kind(values)
    for name in ("errors", "slower"):
        if isinstance(value := values.get(name), int) and not isinstance(value, bool):
            values[name] = float(value) if abs(value) < 1e6 else value
    if not wrong:
        try:
            return TrafficMessage.model_validate(values)
        except ValidationError as error:
            wrong += dict.fromkeys(_mistakes(error))
    hint = f"The settings of [traffic] are: {', '.join(SETTINGS)}. The page about traffic describes them."
    raise documents.bad_config(file, "; ".join(wrong[:_MOST_SHOWN]), hint=hint)


def _pick_kind(values: dict[str, Any]) -> list[str]:
    """Replace the table of the kind by what it stands for; return what is wrong with it."""
    tables = {name: values.pop(name) for name in _KINDS if name in values}
    if len(tables) != 1:
        return [f"traffic needs one of canary and linear, and has {' and '.join(tables) or 'neither'}"]
    ((kind, pair),) = tables.items()
    if not isinstance(pair, dict) or set(pair) != set(_PAIR):
        return [f"traffic.{kind} has to be {_MEANINGS[kind]}"]
    values.update(kind=kind, percent=pair["percent"], interval=_seconds(pair["interval"]))
    return []


def _seconds(value: Any) -> Any:
    """Return a time in seconds; what is none stays, to be refused."""
    found = _INTERVAL.fullmatch(value) if isinstance(value, str) else None
    return int(found[1]) * _UNITS[found[2]] if found else value


def _mistakes(error: ValidationError) -> Iterator[str]:
    for one in error.errors(include_url=False):
        name = str(one["loc"][0])
        yield f"traffic.{name} is {documents.short_repr(one['input'])}, but has to be {_MEANINGS[name]}"

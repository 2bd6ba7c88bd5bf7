"""Recorded loads: from a file, or from the ledger."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from auto_lambda.attempts import Attempt
from checker.sample import tells
from checker.simulator.model import Arrival


class BadHistory(ValueError):
    """The file is no valid history; the message says where, what is wrong and what is valid."""


@dataclass(frozen=True, slots=True)
class Past:
    """A recorded drop. ``dropped``: seconds since any moment; ``build_seconds``: None if unknown."""

    dropped: float
    build_seconds: float | None


class History(Protocol):
    """A source of recorded drops."""

    def drops(self) -> Iterable[Past]:
        """Return all drops, in any order."""


class FileHistory:
    """A CSV with a header, a JSON list, or JSON lines; every entry has ``dropped`` and may have ``build_seconds``.

    ``dropped`` is a number of seconds, or a time in ISO 8601 (UTC if it has no time zone). Other columns are ignored.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def drops(self) -> Iterator[Past]:
        """Yield the entries.

        Raises:
            BadHistory: the file cannot be read, or an entry is not valid.
        """
        for place, entry in self._entries():
            try:
                yield Past(_moment(entry.get("dropped")), _seconds(entry.get("build_seconds")))
            except ValueError as error:
                raise BadHistory(f"{self._path}, {place}: {error}") from None

    def _entries(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        try:
            text = self._path.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise BadHistory(f"{self._path} cannot be read: {error}") from None
        if text.lstrip()[:1] in ("[", "{"):
            return self._json(text)
        return self._csv(text)

    def _csv(self, text: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        rows = csv.DictReader(text.splitlines())
        if "dropped" not in (rows.fieldnames or ()):
            raise BadHistory(f"{self._path} has no column «dropped»; a history starts with: dropped,build_seconds")
        for row in rows:
            yield f"line {rows.line_num}", row

    def _json(self, text: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        try:
            whole = text.lstrip().startswith("[")
            entries = json.loads(text) if whole else [json.loads(line) for line in text.splitlines() if line.strip()]
        except ValueError as error:
            raise BadHistory(f"{self._path} is neither a JSON list nor JSON lines: {error}") from None
        for number, entry in enumerate(entries, start=1):
            if not isinstance(entry, dict):
                raise BadHistory(f"{self._path}, entry {number}: an object with «dropped» is wanted, not {entry!r}")
            yield f"entry {number}", entry


class LedgerHistory:
    """Uploads in the ledger: each was dropped when its message was first sent; its last complete attempt is its build.

    Args:
        attempts: of all apps, ordered by start. Handed-back and running attempts have no build time.
    """

    def __init__(self, attempts: Iterable[Attempt]) -> None:
        self._attempts = attempts

    def drops(self) -> Iterator[Past]:
        """Yield one drop for each version of an object, whatever the number of attempts."""
        fell: dict[str, float] = {}
        took: dict[str, float] = {}
        for attempt in self._attempts:
            fell.setdefault(attempt.subject, (attempt.sent or attempt.started).timestamp())
            if tells(attempt) and attempt.ended:
                took[attempt.subject] = (attempt.ended - attempt.started).total_seconds()
        for subject, dropped in fell.items():
            yield Past(dropped, took.get(subject) or None)


def _moment(value: object) -> float:
    if value in (None, ""):
        raise ValueError("«dropped» is missing: seconds, or a time such as 2026-03-01T09:30:00Z")
    try:
        number = float(str(value))
    except ValueError:
        pass
    else:
        return _finite(number)
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        raise ValueError(f"«dropped» is {value!r}: neither seconds nor a time such as 2026-03-01T09:30:00Z") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _seconds(value: object) -> float | None:
    if value in (None, ""):
        return None
    try:
        number = float(str(value))
    except ValueError:
        raise ValueError(f"«build_seconds» is {value!r}, which is not a number") from None
    if _finite(number) <= 0:
        raise ValueError(f"«build_seconds» is {number:g}; a build takes longer")
    return number


def _finite(number: float) -> float:
    if not math.isfinite(number):
        raise ValueError(f"{number} is not a time")
    return number


def build_seconds(history: History) -> list[float]:
    """Return the build times of all drops that have one."""
    return [past.build_seconds for past in history.drops() if past.build_seconds is not None]


def replay(history: History, otherwise: Iterator[float]) -> list[Arrival]:
    """Return the drops, ordered by time, the first at 0; ``otherwise`` gives missing build times."""
    pasts = sorted(history.drops(), key=lambda past: past.dropped)
    first = pasts[0].dropped if pasts else 0.0
    return [
        Arrival(past.dropped - first, next(otherwise) if past.build_seconds is None else past.build_seconds)
        for past in pasts
    ]

"""A bus for events that keeps what it gets, and the schema that every event is held against."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jsonschema_rs import validator_for

import worker.records.event
from auto_lambda.aws.events import Entry, EventBus

SCHEMA: dict[str, Any] = json.loads(Path(worker.records.event.__file__).with_name("event.schema.json").read_text())
_VALIDATOR = validator_for(SCHEMA, validate_formats=True)


def checked(text: str) -> dict[str, Any]:
    """The detail of an event, which keeps the schema and holds no field that the schema does not name."""
    detail: dict[str, Any] = json.loads(text)
    _VALIDATOR.validate(detail)
    assert set(detail) == set(SCHEMA["properties"])
    return detail


@dataclass
class FakeBus(EventBus):
    """Takes every event unless ``refuse`` has a reason, or raises."""

    entries: list[Entry] = field(default_factory=list)
    calls: list[int] = field(default_factory=list)
    refuse: Callable[[Entry], str | None] = lambda _: None

    def put(self, entries: Sequence[Entry]) -> tuple[str | None, ...]:
        self.calls.append(len(entries))
        reasons = tuple(self.refuse(entry) for entry in entries)
        self.entries += [entry for entry, reason in zip(entries, reasons, strict=True) if reason is None]
        return reasons

    @property
    def details(self) -> list[dict[str, Any]]:
        return [checked(entry.detail) for entry in self.entries]

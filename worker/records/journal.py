"""The journal: how far the present work on an app has got, and the history of attempts.

A `JournalEntry` is written before and after each step that changes something in AWS. An `Attempt` records one try; it
is stored together with the claim and again with the outcome, so an attempt without an outcome was cut short.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from auto_lambda.aws.dynamodb import Item, Put
from auto_lambda.errors import AppError
from auto_lambda.keys import App
from worker.model import Release

ATTRIBUTE = "attribute"
"""Key of a field's metadata: the name of the field in the table, if it is another."""
HISTORY_DAYS = 90
"""How long an attempt is kept, in days."""

OutcomeName = Literal["live", "failed", "superseded", "delayed", "handed back", "undeployed"]
RECENT = "recent"
"""The attribute by which the table's index finds the attempts of all apps, latest first."""
Phase = Literal["begun", "done", "failed"]
_TIMING = "seconds_"
_AFTER_THE_STACK = frozenset({"events", "verify", "going back"})


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One step with an effect. ``subject`` is the lease's; ``when`` ISO 8601, in UTC; ``release`` the text of one.

    ``failure`` is the text of the `AppError` that a step of this work ended with.
    """

    subject: str
    step: str
    phase: Phase
    template_key: str | None
    worker: str
    when: str
    release: str | None = None
    failure: str | None = field(default=None, metadata={ATTRIBUTE: "verdict"})

    @property
    def known_failure(self) -> AppError | None:
        """The failure of the deployed release: a successor rolls back without trying it again."""
        if self.failure is None or self.step not in _AFTER_THE_STACK:
            return None
        return AppError.of(self.failure)

    def may_have_replaced(self, template_key: str) -> bool:
        """Tell whether the stack may hold another release than that one, because the work was interrupted."""
        return self.step in {"stack", *_AFTER_THE_STACK} and self.template_key not in {None, template_key}

    @property
    def finished_release(self) -> Release | None:
        """The release that a successor need not build again: it has passed the proof and is in the artifacts bucket."""
        if self.release is None or (self.step == "artifacts" and self.phase != "done"):
            return None
        return Release.of(self.release)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at one upload. Times are ISO 8601, in UTC; ``timings`` in seconds by step; ``sent`` is its message's.

    ``outcome`` and ``ended`` are None while it runs, and stay None if its worker was killed; ``rollback`` is the
    upload's.
    """

    key: str
    object_version: str | None
    worker: str
    number: int
    started: str
    sent: str | None = None
    ended: str | None = None
    outcome: OutcomeName | None = None
    step: str | None = None
    code: str | None = None
    template_key: str | None = None
    function_version: str | None = None
    timings: Mapping[str, float] | None = None
    rollback: str | None = None

    def put(self, app: App, fence: int) -> Put:
        """Store it; the fencing token distinguishes attempts that started at the same time."""
        expires = datetime.fromisoformat(self.started) + timedelta(days=HISTORY_DAYS)
        timings = {f"{_TIMING}{step}": round(seconds, 3) for step, seconds in (self.timings or {}).items()}
        return Put(
            {
                "pk": history_pk(app), "sk": f"{self.started}#{fence:012d}", "expires": int(expires.timestamp()),
                "key": self.key, "object_version": self.object_version, "worker": self.worker, "number": self.number,
                "started": self.started, "sent": self.sent, "ended": self.ended, "outcome": self.outcome,
                "step": self.step, "code": self.code, "template_key": self.template_key,
                "function_version": self.function_version, "rollback": self.rollback, **timings, RECENT: "attempts",
            }
        )  # fmt: skip

    @classmethod
    def of(cls, item: Item) -> Attempt:
        """Read a table item."""
        texts = {name: str(value) for name, value in item.items() if isinstance(value, str)}
        timings = {
            name.removeprefix(_TIMING): float(value)
            for name, value in item.items()
            if name.startswith(_TIMING) and isinstance(value, int | float)
        }
        return cls(
            texts["key"], texts.get("object_version"), texts["worker"], int(item.get("number") or 0), texts["started"],
            texts.get("sent"), texts.get("ended"), texts.get("outcome"),  # type: ignore[arg-type]
            texts.get("step"), texts.get("code"), texts.get("template_key"), texts.get("function_version"), timings,
            texts.get("rollback"),
        )  # fmt: skip


def history_pk(app: App) -> str:
    """Return the partition key of an app's attempts."""
    return f"history#{app}"

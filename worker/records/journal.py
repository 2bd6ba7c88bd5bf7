"""What was done about an app, and how far the present work has come.

An `Entry` is written before and after each step that changes something in AWS. An `Attempt` is the history of one try;
it is begun together with the claim and ended together with the outcome, so one that has no outcome was cut short.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from auto_lambda.aws.dynamodb import Item, Put
from auto_lambda.errors import AppError
from auto_lambda.keys import App
from worker.model import Release

HISTORY_DAYS = 90
"""How long an attempt is remembered, in days."""

Outcome = Literal["live", "failed", "superseded", "delayed", "handed back", "undeployed"]
RECENT = "recent"
"""The attribute by which all apps' attempts are found together, newest first, through the table's index."""
Phase = Literal["begun", "done", "failed"]
_TIMING = "seconds_"
_AFTER_THE_STACK = frozenset({"events", "verify", "going back"})


@dataclass(frozen=True, slots=True)
class Entry:
    """One step with an effect. ``subject`` is the lease's; ``when`` ISO 8601, in UTC; ``release`` the text of one.

    ``verdict`` is the text of the `AppError` that a step of this work ended with.
    """

    subject: str
    step: str
    phase: Phase
    template_key: str | None
    worker: str
    when: str
    release: str | None = None
    verdict: str | None = None

    @property
    def condemned(self) -> AppError | None:
        """What was found wrong with the release once it was deployed: a successor goes back without trying it again."""
        if self.verdict is None or self.step not in _AFTER_THE_STACK:
            return None
        return AppError.of(self.verdict)

    def beyond(self, template_key: str) -> bool:
        """Whether the stack may hold something else than that release: the work did not come to its end."""
        return self.step in {"stack", *_AFTER_THE_STACK} and self.template_key not in {None, template_key}

    @property
    def stored(self) -> Release | None:
        """What a successor need not build again: it has passed the proof, and lies in the artifacts bucket."""
        if self.release is None or (self.step == "artifacts" and self.phase != "done"):
            return None
        return Release.of(self.release)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at one upload. Times are ISO 8601, in UTC; ``timings`` in seconds by step; ``sent`` is its message's.

    ``outcome`` and ``ended`` are None while it runs, and for ever if its worker was killed; ``rollback`` is the
    upload's.
    """

    key: str
    object_version: str | None
    worker: str
    number: int
    started: str
    sent: str | None = None
    ended: str | None = None
    outcome: Outcome | None = None
    step: str | None = None
    code: str | None = None
    template_key: str | None = None
    function_version: str | None = None
    timings: Mapping[str, float] | None = None
    rollback: str | None = None

    def put(self, app: App, fence: int) -> Put:
        """Stores it; the fence tells attempts of one moment apart."""
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
        """From the stored item."""
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
    """Where an app's attempts lie."""
    return f"history#{app}"

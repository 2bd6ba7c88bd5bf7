"""Events: a final receipt as other programs get it, by EventBridge.

``event.schema.json`` beside this module describes the detail, docs/reference/events.md what each field means.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from auto_lambda import keys
from auto_lambda.attempts import Attempt, OutcomeName
from auto_lambda.aws.events import Entry
from auto_lambda.errors import Code
from auto_lambda.receipts import Receipt

SCHEMA = 1
SOURCE = "auto-lambda"
MAX_MESSAGE = 1_000
"""Characters of an error's message, and of its hint; the receipt has the whole text."""
Outcome = Literal["live", "rolled-back", "failed", "needs-approval", "superseded", "undeployed"]
DETAIL_TYPES: Mapping[Outcome, str] = {
    "live": "App Live",
    "rolled-back": "App Rolled Back",
    "failed": "App Failed",
    "needs-approval": "App Needs Approval",
    "superseded": "App Superseded",
    "undeployed": "App Undeployed",
}
_IDS = uuid.uuid5(uuid.NAMESPACE_URL, "https://auto-lambda/events")
_SAME_AS_IN_RECEIPT = (
    "app", "stage", "status", "step", "rollback", "by", "commit", "repository", "framework", "python", "architecture",
    "timings", "url", "function", "version", "alias", "serving", "worker",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Event:
    """An event as it is sent. ``id`` stays the same however often it is sent; ``detail`` is JSON."""

    id: str
    detail_type: str
    detail: str
    time: datetime

    @property
    def entry(self) -> Entry:
        """The event for a bus."""
        return Entry(SOURCE, self.detail_type, self.detail, self.time)


def event_of(receipt: Receipt, bucket: str, outcome: OutcomeName, attempt: Attempt, fence: int) -> Event:
    """Return the event of an attempt that has ended.

    Args:
        receipt: the final one.
        bucket: it is there.
        outcome: of the attempt.
        attempt: as it ended.
        fence: the fencing token of its lease: no other attempt at the app has it.
    """
    subject = f"{bucket}/{receipt.subject}#{fence}/{attempt.started.isoformat()}"
    times = {name: value.isoformat() if value else None for name, value in (
        ("sent", attempt.sent), ("started", attempt.started), ("ended", attempt.ended))}  # fmt: skip
    return _event(subject, receipt, bucket, _outcome(outcome, receipt), times, attempt.ended or attempt.started)


def refusal_of(receipt: Receipt, bucket: str, message: str, time: datetime) -> Event:
    """Return the event of an upload whose key names no app.

    Args:
        receipt: the final one.
        bucket: it is there.
        message: the id of the message that announced the upload, which identifies it on a bucket without versions.
        time: when it was refused.
    """
    subject = f"{bucket}/{receipt.key}@{receipt.object_version or message}"
    return _event(subject, receipt, bucket, "failed", {"sent": None, "started": None, "ended": time.isoformat()}, time)


def _event(
    subject: str, receipt: Receipt, bucket: str, outcome: Outcome, times: Mapping[str, str | None], time: datetime
) -> Event:
    told = receipt.as_json()
    id_ = str(uuid.uuid5(_IDS, subject))
    detail = {
        "schema": SCHEMA,
        "id": id_,
        "outcome": outcome,
        **{name: told[name] for name in _SAME_AS_IN_RECEIPT},
        "upload": {"bucket": bucket, **told["upload"]},
        "error": _shortened(told["error"]),
        "receipt": {"bucket": bucket, "key": keys.receipt_key(receipt.key)},
        "log": {"bucket": bucket, "key": keys.log_key(receipt.key)},
        "times": times,
    }
    text = json.dumps(detail, ensure_ascii=False).encode(errors="replace").decode()
    return Event(id_, DETAIL_TYPES[outcome], text, time)


def _outcome(outcome: OutcomeName, receipt: Receipt) -> Outcome:
    match outcome:
        case "live":
            return "rolled-back" if receipt.rollback else "live"
        case "superseded" | "undeployed":
            return outcome
    waits = receipt.error is not None and receipt.error.code == Code.NEEDS_APPROVAL
    return "needs-approval" if waits else "failed"


def _shortened(error: dict[str, Any] | None) -> dict[str, str] | None:
    if error is None:
        return None
    return {name: text if len(text) <= MAX_MESSAGE else text[: MAX_MESSAGE - 1] + "…" for name, text in error.items()}

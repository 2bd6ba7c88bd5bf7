"""Attempts: the ledger's record of every try at an upload. Written by workers; read by command line and checker.

docs/reference/ledger.md lists the attributes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, cast

from auto_lambda.aws.dynamodb import Delete, Item, Put
from auto_lambda.keys import App
from auto_lambda.model import Dropper

HISTORY_DAYS = 90
"""How long an attempt is kept, in days."""
RECENT, PARTITION = "recent", "attempts"
"""The attribute, and its one value, by which the table's index finds the attempts of all apps."""
OutcomeName = Literal["live", "failed", "superseded", "delayed", "handed back", "undeployed", "shifting"]
_TIMING = "seconds_"
_BY = "by_"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at one upload. Times are in UTC.

    Attributes:
        key: of the zip.
        object_version: of the zip; None on a bucket without versions.
        worker: its name; None if the attempt was read from the index, which has no more than the times and the outcome.
        number: how often the message has been received, including this time.
        started: when the worker began.
        sent: when the message was first sent; None if that is not known.
        ended: None while it runs; stays None if the worker was killed.
        outcome: None as ``ended``.
        step: the step that it ended in.
        code: of the error.
        template_key: of the release that went live.
        function_version: that went live.
        timings: seconds by step.
        rollback: the version of the zip that a rollback asks for.
        by: who dropped it; None if no event of S3 said so.
    """

    key: str
    object_version: str | None
    worker: str | None
    number: int
    started: datetime
    sent: datetime | None = None
    ended: datetime | None = None
    outcome: OutcomeName | None = None
    step: str | None = None
    code: str | None = None
    template_key: str | None = None
    function_version: str | None = None
    timings: Mapping[str, float] | None = None
    rollback: str | None = None
    by: Dropper | None = None

    @property
    def subject(self) -> str:
        """The upload: its key and version."""
        return f"{self.key}@{self.object_version}"

    def as_json(self) -> dict[str, Any]:
        """Return every field, with times as ISO 8601."""
        times = {"started": _text(self.started), "sent": _text(self.sent), "ended": _text(self.ended)}
        return {**asdict(self), **times}

    def delete(self, app: App, fence: int) -> Delete:
        """Delete it."""
        return Delete(history_pk(app), self._sort_key(fence))

    def _sort_key(self, fence: int) -> str:
        return f"{self.started.isoformat()}#{fence:012d}"

    def put(self, app: App, fence: int) -> Put:
        """Store it; the fencing token distinguishes attempts that started at the same time."""
        fields = self.as_json()
        timings = {f"{_TIMING}{step}": round(seconds, 3) for step, seconds in (fields.pop("timings") or {}).items()}
        by = {f"{_BY}{name}": value for name, value in (fields.pop("by") or {}).items()}
        expires = self.started + timedelta(days=HISTORY_DAYS)
        keys: Item = {
            "pk": history_pk(app),
            "sk": self._sort_key(fence),
            "expires": int(expires.timestamp()),
        }
        return Put({**keys, **fields, **timings, **by, RECENT: PARTITION})

    @classmethod
    def of(cls, item: Item) -> Attempt:
        """Read an item of the table or of its index."""
        texts = {name: value for name, value in item.items() if isinstance(value, str)}
        timings = {
            name.removeprefix(_TIMING): float(value)
            for name, value in item.items()
            if name.startswith(_TIMING) and isinstance(value, int | float)
        }
        return cls(
            key=texts["key"],
            object_version=texts.get("object_version"),
            worker=texts.get("worker"),
            number=int(item.get("number") or 1),
            started=datetime.fromisoformat(texts["started"]),
            sent=_moment(texts.get("sent")),
            ended=_moment(texts.get("ended")),
            outcome=cast("OutcomeName | None", texts.get("outcome")),
            step=texts.get("step"),
            code=texts.get("code"),
            template_key=texts.get("template_key"),
            function_version=texts.get("function_version"),
            timings=timings,
            rollback=texts.get("rollback"),
            by=Dropper.told(texts.get(f"{_BY}principal"), texts.get(f"{_BY}address")),
        )


def history_pk(app: App) -> str:
    """Return the partition key of an app's attempts."""
    return f"history#{app}"


def app_pk(app: App) -> str:
    """Return the partition key of what is known of an app now."""
    return f"app#{app}"


def releases_pk(app: App) -> str:
    """Return the partition key of an app's releases."""
    return f"releases#{app}"


def _text(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None

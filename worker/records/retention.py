"""What the ledger holds for retention: which apps are due, their releases, and what was collected.

An app is due after each deployment and removal, until nothing of it is left to collect.
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from auto_lambda.attempts import HISTORY_DAYS
from auto_lambda.aws.dynamodb import Delete, Item, Put, Refused, Table, Value
from auto_lambda.keys import App, BadKey
from worker.records import lease as leases
from worker.records.lease import HeldLease, Lease
from worker.records.ledger import Ledger, PastRelease, put_past_release

_PK = "collect"
_SECONDS = 20.0  # until another worker may go on
_MOST_AT_ONCE = 90  # a transaction has at most 100 items


@dataclass(frozen=True, slots=True)
class Due:
    """An app that has something to collect, perhaps. Times are in UTC.

    Attributes:
        app: which one.
        when: when it was deployed or removed last.
        again: when it is worth a look; None: now.
    """

    app: App
    when: datetime
    again: datetime | None = None


class RetentionRecords:
    """Reads and writes them. Its exceptions are botocore's.

    Args:
        table: the ledger's.
        worker: its name.
    """

    def __init__(self, table: Table, worker: str) -> None:
        self._table = table
        self._worker = worker
        self.ledger = Ledger(table, seconds=_SECONDS)

    def due(self) -> list[Due]:
        """Return every app that is due."""
        found = ((named(str(item["sk"])), item) for item in self._table.items(_PK))
        return [
            Due(app, datetime.fromisoformat(str(item["when"])), _moment(item.get("again")))
            for app, item in found
            if app
        ]

    def add(self, app: App, when: datetime) -> None:
        """Make an app due, unless it is already."""
        with contextlib.suppress(Refused):
            self._table.write(Put(put_due(app, when).item, {"pk": None}))

    def done(self, due: Due, again: datetime | None) -> None:
        """Make an app due no more, or not before that time, unless it was deployed or removed since."""
        when = due.when.isoformat()
        item: Item = {"pk": _PK, "sk": str(due.app), "when": when, "again": again.isoformat() if again else None}
        with contextlib.suppress(Refused):
            self._table.write(Put(item, {"when": when}) if again else Delete(_PK, str(due.app), {"when": when}))

    def releases(self, app: App) -> dict[str, PastRelease]:
        """Return an app's releases by the version of their zip, those that are collected included."""
        return self.ledger.releases(app)

    def claim(self, app: App) -> HeldLease | None:
        """Claim the right to collect an app's releases; None while another worker does. No upload waits for it."""
        pk = f"{_PK}#{app}"
        seen = Lease.of(next((item for item in self._table.items(pk) if item["sk"] == leases.SK), None))
        owner = f"{self._worker}/{uuid.uuid4().hex[:12]}"
        return leases.claim(self._table, pk, seen, owner=owner, subject=_PK, seconds=_SECONDS)

    def collect(
        self, app: App, lease: Lease, releases: Mapping[str, PastRelease], versions: Collection[str], now: datetime
    ) -> bool:
        """Give releases up, so that no rollback restores them, if nobody has worked on the app since it was read.

        Args:
            app: their app.
            lease: the app's, as it was read.
            releases: the app's, as they were read.
            versions: of the zips of those to give up.
            now: the time, in UTC.

        Returns:
            False if somebody has worked on the app, or does. Nothing was written then.
        """
        if lease.owner is not None:
            return False
        unchanged = Put(lease.item(f"app#{app}"), {"fence": lease.fence or None, "owner": None})
        expires = int((now + timedelta(days=HISTORY_DAYS)).timestamp())
        given_up = (replace(releases[version], release=None, collected=now.isoformat()) for version in versions)
        puts = [put_past_release(app, version, it) for version, it in zip(versions, given_up, strict=True)]
        try:
            for first in range(0, max(1, len(puts)), _MOST_AT_ONCE):
                some = puts[first : first + _MOST_AT_ONCE]
                self._table.write(unchanged, *(replace(it, item={**it.item, "expires": expires}) for it in some))
        except Refused:
            return False
        return True

    def items(self) -> Iterator[Mapping[str, Value]]:
        """Read everything but the history: what refers to an artifact is in it."""
        return self._table.others("history#")


def put_due(app: App, when: datetime) -> Put:
    """Make an app due."""
    item: Item = {"pk": _PK, "sk": str(app), "when": when.isoformat()}
    return Put(item)


def named(text: str) -> App | None:
    """Return the app of a ``<stage>/<name>``; None if it is none."""
    stage, _, name = text.partition("/")
    try:
        return App(stage, name)
    except BadKey:
        return None


def _moment(text: Value) -> datetime | None:
    return datetime.fromisoformat(str(text)) if text else None

"""What the ledger holds of one app, as far as people ask for it: docs/reference/ledger.md.

It reads the items itself. The worker's own model of them needs what only a worker has installed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from auto_lambda.attempts import Attempt, app_pk, history_pk, releases_pk
from auto_lambda.aws.dynamodb import Item, Table
from auto_lambda.keys import App


@dataclass(frozen=True, slots=True)
class RecordedLive:
    """The release that went live last. ``release`` is the version of its zip; ``since`` in UTC."""

    release: str | None
    since: datetime | None
    framework: str | None
    python: str | None = None


@dataclass(frozen=True, slots=True)
class RecordedRelease:
    """A release that went live once. ``stored``: a rollback restores it unchanged. Sizes in bytes, times in UTC."""

    live_since: datetime | None
    stored: bool
    framework: str | None = None
    python: str | None = None
    size: int | None = None


class AppHistory:
    """The ledger's items of apps. Exceptions are botocore's."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def live(self, app: App) -> RecordedLive | None:
        """Return what is live; None if nothing is."""
        item = self._table.item(app_pk(app), "live")
        if item is None:
            return None
        text = _texts(item)
        release = text.get("object_version")
        stored = self._release(app, release) if release else None
        python = stored.python if stored else None
        return RecordedLive(release, _moment(text.get("when")), text.get("framework"), python)

    def _release(self, app: App, version: str) -> RecordedRelease | None:
        item = self._table.item(releases_pk(app), version)
        return _release(_texts(item)) if item else None

    def releases(self, app: App) -> dict[str, RecordedRelease]:
        """Return an app's releases by the version of their zip."""
        return {str(item["sk"]): _release(_texts(item)) for item in self._table.items(releases_pk(app))}

    def attempts(self, app: App, newest: int) -> list[Attempt]:
        """Return the newest attempts at an app's zips, latest first."""
        return [Attempt.of(item) for item in self._table.items(history_pk(app), newest=newest)]


def _release(item: Mapping[str, str]) -> RecordedRelease:
    since = _moment(item.get("when"))
    try:
        told: Any = json.loads(item.get("release") or "null")
    except ValueError:
        told = None
    if not isinstance(told, dict):
        return RecordedRelease(since, stored=False)
    size = told.get("size")
    text = _texts(told)
    return RecordedRelease(
        since, True, text.get("framework"), text.get("python"), size if isinstance(size, int) else None
    )


def _texts(item: Item | Mapping[str, Any]) -> dict[str, str]:
    return {name: value for name, value in item.items() if isinstance(value, str)}


def _moment(text: str | None) -> datetime | None:
    try:
        return datetime.fromisoformat(text or "")
    except ValueError:
        return None

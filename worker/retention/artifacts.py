"""Collects artifacts that no release of any app needs: templates, code, layers, locks.

Artifacts are named after their content, so several apps may have one in common. An artifact goes when no record of the
ledger leads to it and it is old; and whoever deploys stores an artifact anew before it is that old. So what is deployed
while this runs is safe although no record leads to it yet.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta

from auto_lambda import logs
from auto_lambda.aws.s3 import ObjectMissing, ObjectStore
from auto_lambda.model import Template
from worker.bundle import release
from worker.model import Release
from worker.records.retention import RetentionRecords

OLD = timedelta(days=7)
"""The age at which an artifact may be deleted; more than twice `worker.deploy.artifacts.RENEWED`."""
_PREFIXES = ("bundles/", "layers/")

_log = logs.get("retention")


class UnreadableRecord(Exception):
    """A record is in a format that this worker does not know: what it needs is not known either."""


class ArtifactCollector:
    """Collects artifacts.

    Args:
        records: what the ledger holds.
        store: S3.
        bucket: of the artifacts.
        now: the time, in UTC.
    """

    def __init__(
        self,
        records: RetentionRecords,
        store: ObjectStore,
        bucket: str,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._records = records
        self._store = store
        self._bucket = bucket
        self._now = now

    def collect(self, alive: Callable[[], object] = lambda: None) -> list[str]:
        """Delete what nobody needs, and return the keys. ``alive`` is called between calls to AWS.

        Raises:
            UnreadableRecord: a record cannot be read. Nothing was deleted.
        """
        old = [head.key for prefix in _PREFIXES for head in self._store.list(self._bucket, prefix)
               if self._now() - head.modified > OLD]  # fmt: skip
        if not old:
            return []
        needed = self._needed(alive)
        gone = [key for key in old if key not in needed]
        for key in gone:
            alive()
            self._store.delete(self._bucket, key)
        return gone

    def _needed(self, alive: Callable[[], object]) -> set[str]:
        """Return the key of every artifact that a record leads to."""
        templates = {key for item in self._records.items() for key in _template_keys(item)}
        needed = set(templates)
        for key in sorted(templates):
            alive()
            needed |= set(self._parts(key))
        return needed

    def _parts(self, template_key: str) -> Iterator[str]:
        try:
            template: Template = json.loads(self._store.get(self._bucket, template_key))
        except ObjectMissing:
            return
        yield from release.artifacts(template)


def _template_keys(item: Mapping[str, object]) -> Iterator[str]:
    yield from (key for name in ("template_key", "deployed") if isinstance(key := item.get(name), str))
    if isinstance(text := item.get("release"), str):
        if (found := Release.of(text)) is None:
            raise UnreadableRecord(f"the release in {item.get('pk')} {item.get('sk')}")
        yield found.template_key

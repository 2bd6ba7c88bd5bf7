"""The wheels that workers had built, kept for all of them in the artifacts bucket: ``wheels/<key>/...``.

A record says what was built from what, and names its wheel by hash; the wheel lies under that hash. So a wheel that was
exchanged or cut off is found out by anyone who fetches it. The record itself is believed because only workers may
write to the bucket, and because it repeats the key that it lies under.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from auto_lambda.aws.s3 import ObjectMissing, ObjectStore

Record = Mapping[str, Any]
"""``{"schema": 1, "key": {...}, "wheel": {"file", "sha256", "bytes"}, "source", "bundled", "tools", ...}``"""


class Spoiled(Exception):
    """What is stored is not what was put there; the message says what is wrong."""


class WheelStore(Protocol):
    """Keeps wheels for other workers."""

    def fetch(self, key: str, into: Path) -> Record | None:
        """Put the wheel of a key into a folder; None when there is none.

        Raises:
            Spoiled: it was changed or cut off.
        """

    def store(self, key: str, record: Record, wheel: Path) -> None:
        """Offer a wheel. The first one offered stays, unless it is spoiled."""


class BucketWheelStore:
    """The store of all workers of one pipeline."""

    def __init__(self, store: ObjectStore, bucket: str) -> None:
        self._store = store
        self._bucket = bucket

    def fetch(self, key: str, into: Path) -> Record | None:
        """Fetch a wheel; see `WheelStore.fetch`."""
        try:
            data = self._store.get(self._bucket, f"wheels/{key}/record.json")
        except ObjectMissing:
            return None
        record = checked(data, key)
        target = into / record["wheel"]["file"]
        try:
            self._store.download(self._bucket, _place(key, record), None, target)
        except ObjectMissing:
            raise Spoiled("its wheel is gone") from None
        verify(target, record)
        return record

    def store(self, key: str, record: Record, wheel: Path) -> None:
        """Store the wheel first, then its record, so that no record names a missing wheel."""
        self._store.upload(self._bucket, _place(key, record), wheel)
        data = json.dumps(record, indent=1, sort_keys=True).encode()
        place = f"wheels/{key}/record.json"
        if not self._store.put_new(self._bucket, place, data, "application/json") and not self._sound(key):
            self._store.put(self._bucket, place, data, "application/json")

    def _sound(self, key: str) -> bool:
        with tempfile.TemporaryDirectory() as folder:
            try:
                return self.fetch(key, Path(folder)) is not None
            except Spoiled:
                return False


class NoWheelStore:
    """For workers on their own."""

    def fetch(self, key: str, into: Path) -> Record | None:  # noqa: ARG002
        """Nothing, ever."""
        return None

    def store(self, key: str, record: Record, wheel: Path) -> None:
        """Forget it."""


def checked(data: bytes, key: str) -> Record:
    """Parse and check the record stored under a key.

    Raises:
        Spoiled: it is not one, or belongs under another key.
    """
    try:
        record = json.loads(data)
        wheel = record["wheel"]
        good = key_of(record["key"]) == key and wheel["file"] == Path(wheel["file"]).name and len(wheel["sha256"]) == 64
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Spoiled(f"its record can't be read: {error}") from None
    if not good:
        raise Spoiled("its record belongs to another wheel")
    return dict(record)


def key_of(parts: Mapping[str, str]) -> str:
    """Return the key of a wheel, from everything that decides how it is built."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def verify(wheel: Path, record: Record) -> None:
    """Compare a file with the record.

    Raises:
        Spoiled: it is another, or cut off.
    """
    with wheel.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != record["wheel"]["sha256"]:
        raise Spoiled(f"{wheel.name} has another hash than its record says")


def _place(key: str, record: Record) -> str:
    return f"wheels/{key}/{record['wheel']['sha256']}/{record['wheel']['file']}"

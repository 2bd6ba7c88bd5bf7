"""The end of an object that grows, such as a build log: in parts, never whole in memory."""

from __future__ import annotations

import codecs
from dataclasses import dataclass

from auto_lambda.aws.s3 import ObjectMissing, ObjectStore

MOST = 1_000_000
"""Bytes that are read at once, the last ones."""
_MARK = 64  # bytes by which it is seen that the object has only grown


@dataclass(frozen=True, slots=True)
class Grown:
    """What was added to a text.

    Attributes:
        text: that was added.
        reset: whether it replaces what was told before.
        cut: bytes that are left out before it.
    """

    text: str
    reset: bool = False
    cut: int = 0


class LogTail:
    """Follows one object. It is asked for its metadata, and read from where it was read last.

    Args:
        store: has it.
        bucket: it is in.
        key: of it.
        most: bytes that are read at once.
        whole: whether every byte is wanted, in as many looks as that takes; else only the end of it.

    Attributes:
        key: of the object.
        found: whether the object was there.
    """

    def __init__(self, store: ObjectStore, bucket: str, key: str, most: int = MOST, *, whole: bool = False) -> None:
        self._store = store
        self._bucket = bucket
        self.key = key
        self._most = most
        self._all = whole
        self.found = False
        self._etag: str | None = None
        self._end = 0
        self._mark = b""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def look(self, *, anew: bool = False) -> Grown | None:
        """Return what was added since the last look; None if nothing was. ``anew``: all of it, in any case."""
        try:
            head = self._store.head(self._bucket, self.key)
            if head.etag == self._etag and self._end >= head.size and not anew:
                return None
            grown = None if anew or not self._end else self._added(head.size)
            grown = grown or self._anew(head.size)
            self._etag, self.found = head.etag, True
        except ObjectMissing:
            told, self._etag, self._end = self._etag, None, 0
            return Grown("", reset=True) if told or anew else None
        return grown

    def _added(self, size: int) -> Grown | None:
        """Return what was added; None if the object is another one, or has grown too much."""
        start = self._end - len(self._mark)
        if size < self._end or (size - self._end > self._most and not self._all):
            return None
        data = self._store.get_part(self._bucket, self.key, start, len(self._mark) + self._most)
        if not data.startswith(self._mark):
            return None
        added = data[len(self._mark) :]
        self._remember(self._end + len(added), data)
        return Grown(self._decoder.decode(added))

    def _anew(self, size: int) -> Grown:
        first = 0 if self._all else max(0, size - self._most)
        data = self._store.get_part(self._bucket, self.key, first, self._most) if size else b""
        self._remember(first + len(data), data)
        self._decoder.reset()
        begin = data.find(b"\n") + 1 if first else 0  # from the first whole line on
        return Grown(self._decoder.decode(data[begin:]), reset=True, cut=first + begin)

    def _remember(self, end: int, data: bytes) -> None:
        self._end = end
        self._mark = data[-_MARK:]

"""The uploader's side: put a zip into the bucket, and read and follow the receipt beside it."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import IO, Any, Protocol, TypeVar, cast

from botocore.exceptions import ClientError

from auto_lambda import keys
from auto_lambda.aws.s3 import Head, ObjectMissing, ObjectStore, denied
from auto_lambda.model import Commit
from auto_lambda.receipts import MAX_BYTES, MalformedReceipt, Receipt

T = TypeVar("T")
_NEVER = datetime.min.replace(tzinfo=UTC)


class ReceiptStore(Protocol):
    """Holds the receipts."""

    def list(self, bucket: str, prefix: str) -> Iterable[Head]:
        """List every object below a prefix."""

    def get_start(self, bucket: str, key: str, at_most: int) -> bytes:
        """Read the first bytes of one of them; raises `ObjectMissing`."""


class TimedOut(Exception):
    """The receipt was not final in time. The drop itself continues."""


@dataclass(frozen=True, slots=True)
class Drop:
    """One version of one zip in the bucket. ``size`` in bytes; ``version`` is None on an unversioned bucket.

    ``sha256`` is None if the zip was not read. ``removed``: the version is a delete marker's.
    """

    app: keys.App
    bucket: str
    key: str
    version: str | None
    sha256: str | None
    size: int
    removed: bool = False


def drop(
    store: ObjectStore,
    bucket: str,
    app: keys.App,
    zip_path: Path,
    progress: Callable[[int], None] | None = None,
    commit: Commit | None = None,
) -> Drop:
    """Upload a zip under the app's key.

    The version is read right after the upload. If somebody else uploads the same app at that moment, it may be theirs,
    and this follows their receipt. ``progress`` is called with the bytes as they are sent. ``commit`` is what the zip
    was made from; receipt and event repeat it.
    """
    with zip_path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    store.upload(bucket, app.key, zip_path, progress, commit.metadata() if commit else None)
    head = _unless_denied(partial(store.head, bucket, app.key))  # who may write need not be allowed to read
    return Drop(app, bucket, app.key, head.version if head else None, sha256, zip_path.stat().st_size)


class ZipStream(Protocol):
    """A zip that is read once, from its beginning to its end. ``sha256`` and ``size`` are of what was read."""

    @property
    def sha256(self) -> str:
        """In hexadecimal."""

    @property
    def size(self) -> int:
        """In bytes."""


def drop_stream(store: ObjectStore, bucket: str, app: keys.App, stream: ZipStream) -> Drop:
    """Upload a zip as it comes in, under the app's key; see `drop`. If reading it fails, nothing is uploaded."""
    store.upload_stream(bucket, app.key, cast("IO[bytes]", stream))
    head = _unless_denied(partial(store.head, bucket, app.key))
    return Drop(app, bucket, app.key, head.version if head else None, stream.sha256, stream.size)


def again(store: ObjectStore, bucket: str, app: keys.App, version: str) -> Drop:
    """Drop an earlier version of a zip again, under its key, with the request for its release.

    Raises:
        ObjectMissing: that version does not exist, or no longer.
    """
    earlier = _found(store, bucket, app, version)
    # An order to take all traffic was about the shift of those days, not about one that this drop ends.
    renewed = store.renew(bucket, earlier.key, version, {keys.ROLLBACK: version, keys.AT_ONCE: ""})
    return Drop(app, bucket, earlier.key, renewed, None, earlier.size)


def promote(store: ObjectStore, bucket: str, source: keys.Promotion, to: keys.App) -> Drop:
    """Drop a version of a zip of another stage under an app's key, with the request for its packages.

    Raises:
        ObjectMissing: that version does not exist, or no longer.
    """
    earlier = _found(store, bucket, source.app, source.version)
    # A release that it restored is of the other stage, and so is the order to take all traffic.
    told = {keys.PROMOTION: str(source), keys.ROLLBACK: "", keys.AT_ONCE: ""}
    renewed = store.renew(bucket, to.key, source.version, told, source=earlier.key)
    return Drop(to, bucket, to.key, renewed, None, earlier.size)


def at_once(store: ObjectStore, bucket: str, app: keys.App, version: str) -> Drop:
    """Drop the version of a zip whose traffic is shifting again, to get all of it at once.

    Raises:
        ObjectMissing: that version does not exist, or no longer.
    """
    shifting = _found(store, bucket, app, version)
    renewed = store.renew(bucket, shifting.key, version, {keys.AT_ONCE: keys.YES})
    return Drop(app, bucket, shifting.key, renewed, None, shifting.size)


def remove(
    store: ObjectStore, bucket: str, app: keys.App, key: str, unseen: Callable[[str], None] = lambda _: None
) -> Drop:
    """Delete an app's zip under every key that it has, and return the deletion under ``key``.

    ``unseen`` is called with a key that may not be read: a zip there would be deployed again.
    """
    for other in app.keys:
        if other != key:
            there = _unless_denied(partial(store.exists, bucket, other))
            if there is None:
                unseen(other)
            elif there:
                store.delete(bucket, other)
    return Drop(app, bucket, key, store.delete(bucket, key), None, 0, removed=True)


def key_of(store: ObjectStore, bucket: str, app: keys.App, version: str) -> str:
    """Return which of an app's keys has an object with this version.

    Raises:
        ObjectMissing: none has it, or no longer.
    """
    return _found(store, bucket, app, version).key


def has_version(store: ObjectStore, bucket: str, app: keys.App, version: str) -> bool:
    """Tell whether one of an app's keys has an object with exactly this version."""
    return _find(store, bucket, app, version) is not None


def _found(store: ObjectStore, bucket: str, app: keys.App, version: str) -> Head:
    if head := _find(store, bucket, app, version):
        return head
    raise ObjectMissing(f"{app} has no version {version}")


def _find(store: ObjectStore, bucket: str, app: keys.App, version: str) -> Head | None:
    for key in app.keys:
        if head := _unless_denied(partial(store.find, bucket, key, version), really=key == app.key):
            return head
    return None


def latest(store: ObjectStore, bucket: str, app: keys.App) -> tuple[str, Receipt | None]:
    """Return which of an app's keys has the latest receipt, and that receipt."""
    return _latest(app, _receipts(store, bucket, app))


def _latest(app: keys.App, receipts: Mapping[str, Receipt | None]) -> tuple[str, Receipt | None]:
    found = [(key, receipt) for key, receipt in receipts.items() if receipt]
    return max(found, key=lambda it: it[1].updated or _NEVER, default=(app.key, None))


def waiting(store: ObjectStore, bucket: str, app: keys.App) -> str | None:
    """Return the key of a zip that waits: see `waiting_zip`."""
    found = waiting_zip(store, bucket, app)
    return found.key if found else None


def waiting_zip(store: ObjectStore, bucket: str, app: keys.App) -> Head | None:
    """Return an app's zip that no worker has received yet, if there is one.

    Of an app's two keys the later zip counts, so a zip that is older than what is live is not waiting.
    """
    receipts = _receipts(store, bucket, app)
    return _waiting(store, bucket, app, receipts, _latest(app, receipts)[1])


@dataclass(frozen=True, slots=True)
class Newest:
    """What the bucket knows of an app's drops.

    Attributes:
        key: of the zip that the latest receipt is beside.
        receipt: the latest one; None: no worker has received a zip yet.
        waiting: a zip that no worker has received yet, unless one is at work on another one.
    """

    key: str
    receipt: Receipt | None
    waiting: Head | None


def newest(store: ObjectStore, bucket: str, app: keys.App) -> Newest:
    """Look at an app's receipts, and then at its zips."""
    receipts = _receipts(store, bucket, app)
    key, receipt = _latest(app, receipts)
    at_work = receipt is not None and not receipt.final
    return Newest(key, receipt, None if at_work else _waiting(store, bucket, app, receipts, receipt))


def _waiting(
    store: ObjectStore, bucket: str, app: keys.App, receipts: Mapping[str, Receipt | None], latest_one: Receipt | None
) -> Head | None:
    version = latest_one.serving.object_version if latest_one and latest_one.serving else None
    live = _find(store, bucket, app, version) if version else None
    for key, receipt in receipts.items():
        with suppress(ObjectMissing):
            head = _unless_denied(partial(store.head, bucket, key))
            overtaken = head and live and live.key != key and head.modified < live.modified
            if head and not overtaken and (receipt is None or receipt.object_version != head.version):
                return head
    return None


def _receipts(store: ObjectStore, bucket: str, app: keys.App) -> dict[str, Receipt | None]:
    return {key: _unless_denied(partial(read, store, bucket, key), really=key == app.key) for key in app.keys}


def _unless_denied(
    ask: Callable[[], T], *, really: bool = False, refused: Callable[[ClientError], None] = lambda _: None
) -> T | None:
    """Return the answer; None for the other key of an app, for which permission may be missing. ``really``: raise."""
    try:
        return ask()
    except ClientError as error:
        if really or not denied(error):
            raise
        refused(error)
        return None


def read(store: ReceiptStore, bucket: str, key: str) -> Receipt | None:
    """Read the receipt beside a zip; None if there is none, or something else: who may drop may also write there.

    Whose it is says the key alone: a receipt that somebody has written may name another app.
    """
    try:
        # Cut off, it is no JSON any more.
        receipt = Receipt.from_text(store.get_start(bucket, keys.receipt_key(key), MAX_BYTES))
    except (ObjectMissing, MalformedReceipt):
        return None
    return replace(receipt, **_whose(key), stored={**(receipt.stored or {}), **_whose(key)})


def _whose(key: str) -> dict[str, Any]:
    try:
        app = keys.parse(key)
    except keys.BadKey:
        return {"app": None, "stage": None}
    return {"app": app.name, "stage": app.stage}


def follow(
    store: ObjectStore,
    dropped: Drop,
    *,
    timeout: float,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
    refused: Callable[[ClientError], None] = lambda _: None,
    silent: Callable[[Receipt | None, float], None] = lambda _receipt, _seconds: None,
) -> Iterator[Receipt]:
    """Yield each new state of exactly this drop's receipt; the last one is final.

    A drop that a newer version of the zip replaces before it has a receipt of its own counts as ``superseded``.
    ``refused`` is called each time that AWS refuses to read the receipt: without permission to list the bucket, S3
    refuses a receipt that does not exist yet. ``silent`` is called at each look that finds nothing new, with the last
    state, None before the first one, and the seconds since it was found.

    Raises:
        TimedOut: no final state within ``timeout`` seconds.
    """
    found_at = clock()
    deadline = found_at + timeout
    told: Receipt | None = None
    pause = 0.1
    while clock() < deadline:
        receipt = _unless_denied(partial(read, store, dropped.bucket, dropped.key), refused=refused)
        if receipt is None or not tells_of(receipt, dropped):
            receipt = _overtaken(store, dropped) if receipt else None
        if receipt and receipt != told:
            yield receipt
            told, pause, found_at = receipt, 0.1, clock()
        else:
            silent(told, clock() - found_at)
        if receipt and receipt.final:
            return
        sleep(min(pause, max(0.0, deadline - clock())))
        pause = min(pause * 1.3, 1.5)
    state = "still in AWS" if dropped.removed else "not live"
    raise TimedOut(f"{dropped.app} was {state} after {timeout:.0f} s")


@dataclass(frozen=True, slots=True)
class Denied:
    """In place of a receipt that may not be read."""


Told = Receipt | Denied | None
Entry = tuple[str, Receipt | None, bool]
"""A zip's key, its receipt (None: no worker has received it yet), and whether the zip is still there."""


def tells_of(receipt: Receipt, drop: Drop) -> bool:
    """Tell whether a receipt is the one of exactly this drop."""
    if drop.removed and receipt.object_version is None:  # S3's event was lost, and the removal found later
        return receipt.undeployed
    if drop.version is None:
        return receipt.sha256 == drop.sha256
    return receipt.object_version == drop.version


def every(
    store: ObjectStore,
    bucket: str,
    below: str = "",
    unseen: Callable[[str], None] = lambda _: None,
    *,
    reader: Callable[[Head], Receipt | None] | None = None,
    each: Callable[
        [Callable[[Head], Receipt | Denied | None], Iterable[Head]], Iterable[Receipt | Denied | None]
    ] = map,
) -> Iterator[Entry]:
    """List each zip and each receipt in the bucket, by the zip's key. A zip that is newer than its receipt is queued.

    Args:
        store: has the bucket.
        bucket: of the uploads.
        below: the beginning of what follows ``apps/`` in the keys to list.
        unseen: is called with the key of a zip whose receipt may not be read; it is left out.
        reader: reads a receipt; by default from the store.
        each: calls a function with each of many, as `map` does; that of an executor reads several at a time.
    """
    zips, heads = dict[str, Head](), dict[str, Head]()
    for head in store.list(bucket, keys.PREFIX + below):
        if head.key.endswith(keys.SUFFIX):
            zips[head.key] = head
        elif head.key.endswith(keys.RECEIPT_SUFFIX):
            heads[keys.upload_key(head.key)] = head

    def told(head: Head) -> Told:
        try:
            return reader(head) if reader else read(store, bucket, keys.upload_key(head.key))
        except ClientError as error:
            if not denied(error):
                raise
            return Denied()

    receipts = dict(zip(heads, each(told, heads.values()), strict=True))
    for key in sorted(zips.keys() | heads.keys()):
        receipt = receipts.get(key)
        if isinstance(receipt, Denied):
            unseen(key)
        elif receipt and key in zips and heads[key].modified < zips[key].modified:
            yield key, _queued_over(receipt), True
        else:
            yield key, receipt, key in zips


def _queued_over(receipt: Receipt) -> Receipt:
    """Return the receipt of a zip that no worker has received, from that of the one before: it says what serves."""
    told = {**(receipt.stored or {}), "status": "queued", "step": None, "error": None}
    return replace(receipt, status="queued", step=None, error=None, object_version=None, held_until=None, stored=told)


def _overtaken(store: ObjectStore, dropped: Drop) -> Receipt | None:
    """Return a receipt for a version that another one has replaced; None while ours is the newest."""
    try:
        newest = store.head(dropped.bucket, dropped.key).version
    except ObjectMissing:
        return None
    if dropped.version is None or newest == dropped.version:
        return None
    upload = {"key": dropped.key, "version": dropped.version, "sha256": dropped.sha256, "size": dropped.size}
    return Receipt.from_json({"schema": 1, "app": dropped.app.name, "stage": dropped.app.stage, "status": "superseded",
                    "step": None, "upload": upload})  # fmt: skip

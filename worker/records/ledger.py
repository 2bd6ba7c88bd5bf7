"""The ledger: the pipeline's memory of each app, in one DynamoDB table; docs/reference/ledger.md lists every item.

`decide` tells what should be live, by comparing an announced upload with what is live and with the bucket.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Literal, TypeVar

from auto_lambda.attempts import Attempt, app_pk, history_pk, releases_pk
from auto_lambda.aws.dynamodb import Delete, Item, Put, Table
from auto_lambda.aws.s3 import Head
from auto_lambda.keys import AT_ONCE, YES, App, promotion, wanted_release
from auto_lambda.model import Commit, Dropper
from worker.model import Release, Upload
from worker.records import lease as leases
from worker.records.journal import ATTRIBUTE, JournalEntry
from worker.records.lease import HeldLease, Lease

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    E = TypeVar("E", bound=DataclassInstance)


_ATTEMPTS_READ = 20
_LONGEST_KEY = 1024  # bytes, DynamoDB's limit


@dataclass(frozen=True, slots=True)
class LiveRelease:
    """An upload that went live, and its deployment. ``modified`` (by S3) and ``when`` are ISO 8601, in UTC.

    ``previous_version`` is the version of the object that a rollback leads to.
    """

    key: str
    object_version: str | None
    sequencer: str | None
    modified: str | None
    sha256: str
    framework: str
    template_key: str
    function: str
    function_version: str
    url: str | None
    when: str
    previous_version: str | None = field(default=None, metadata={ATTRIBUTE: "before"})


@dataclass(frozen=True, slots=True)
class FailedUpload:
    """An upload that its uploader has to fix. ``code`` is the receipt's; ``redrive`` the upload's.

    ``release`` is the text of a `Release` that waits for an approval of its rights, and can go on from there.
    ``deployed`` is the template key of a release that the stack may still have, since nothing took its place.
    """

    key: str
    object_version: str | None
    sequencer: str | None
    code: str
    when: str
    redrive: str | None = None
    release: str | None = None
    deployed: str | None = None


@dataclass(frozen=True, slots=True)
class PastRelease:
    """The release that went live from a version of a zip, for rollbacks to it. ``release`` is the text of a `Release`.

    ``previous_version`` is the version of the object that a rollback from it leads to; ``when`` it went live (ISO 8601,
    in UTC), None of a record of earlier days. ``collected``: when its release was given up for newer ones; then
    ``release`` is None.
    """

    release: str | None
    previous_version: str | None = field(metadata={ATTRIBUTE: "before"})
    when: str | None = None
    collected: str | None = None

    @property
    def read(self) -> Release | None:
        """The release; None once it is collected, or if another version of the worker wrote it in another format."""
        return Release.of(self.release) if self.release else None


@dataclass(frozen=True, slots=True)
class AppRecord:
    """The items of one app. ``entry`` shows how far the last holder of the lease got."""

    live: LiveRelease | None = None
    failed: FailedUpload | None = None
    lease: Lease = field(default_factory=Lease)
    entry: JournalEntry | None = None

    def answered(self, upload: Upload) -> bool:
        """Tell whether this version already has its final receipt."""
        if self.live and _same(self.live, upload):
            return True
        if self.failed is None or not _same(self.failed, upload):
            return False
        return upload.redrive is None or upload.redrive == self.failed.redrive

    def waiting_release(self, upload: Upload) -> Release | None:
        """Return the release of an upload that waited for an approval."""
        failed = self.failed
        return Release.of(failed.release) if failed and failed.release and _same(failed, upload) else None

    def deployed_from(self, key: str) -> bool:
        """Tell whether that object is live; or, if nothing is, whether it has failed and may have left a stack."""
        owner = self.live or self.failed
        return owner is not None and owner.key == key

    def may_be_in_aws(self, key: str) -> bool:
        """Tell whether AWS may hold anything of that object: it is deployed, or its deployment was started."""
        held = self.lease.subject if self.lease.owner else None
        begun = self.entry.subject if self.entry else None
        unfinished = any(it is not None and it.startswith(f"{key}@") for it in (held, begun))
        return unfinished or self.deployed_from(key)

    def accounts_for(self, upload: Upload, head: Head) -> bool:
        """Tell whether an object's newest version needs no announcement: it has a receipt, or a worker has had it.

        If the app's other key holds a newer zip, that one counts.
        """
        in_hand = (self.lease.subject or "").startswith(subject(upload))
        other = self.live is not None and _under_other_key(upload, head.modified.isoformat(), self.live)
        shifts = self.entry is not None and self.entry.traffic is not None and self.entry.subject == subject(upload)
        return self.answered(upload) or in_hand or other or shifts


@dataclass(frozen=True, slots=True)
class Claim:
    """The decision about an upload: work (``go``), or nothing, because it has a receipt or a newer one exists.

    ``upload`` has the version from S3 where the event had none, and what its metadata says: whether it is a rollback,
    and which commit it was made from. ``modified`` is S3's, ISO 8601.
    """

    upload: Upload
    decision: Literal["go", "answered", "superseded"]
    modified: str | None = None


def decide(
    upload: Upload, record: AppRecord, newest: Callable[[Upload], Head | None], *, undeploys: bool = False
) -> Claim:
    """Compare an upload with what is live and with what is in the bucket now.

    Args:
        upload: as announced, or its announced removal.
        record: of its app.
        newest: asks S3 for the newest version of the upload's object; None when it was deleted.
        undeploys: whether a deleted object means that nothing should be live.
    """
    if upload.removed:
        return _decide_removal(upload, record, newest)
    if record.answered(upload):
        return Claim(upload, "answered")
    if record.live and _older(upload, record.live):
        return Claim(upload, "superseded")
    head = newest(upload)
    if head is None:
        return Claim(upload, "superseded" if undeploys else "go")  # the fetch tells the uploader
    modified = head.modified.isoformat()
    upload = replace(upload, version=upload.version or head.version)
    if record.answered(upload):
        return Claim(upload, "answered", modified)
    other = record.live and _under_other_key(upload, modified, record.live)
    if upload.version != head.version or other or _shifts_under_other_key(upload, head, record.entry, newest):
        return Claim(upload, "superseded", modified)
    told = head.metadata
    wanted, commit, promoted = wanted_release(told), Commit.told(told), promotion(upload.app, told)
    upload = replace(upload, rollback=wanted, commit=commit, promotion=promoted)
    return Claim(replace(upload, at_once=told.get(AT_ONCE) == YES), "go", modified)


def _decide_removal(upload: Upload, record: AppRecord, newest: Callable[[Upload], Head | None]) -> Claim:
    """Decide about a deleted object or version: an object that is there is as good as dropped now.

    While somebody is working on it this is not known yet; a delivery that cannot get the lease comes back.
    """
    head = newest(upload)
    if head is None:
        return Claim(upload, "go" if record.may_be_in_aws(upload.key) else "answered")
    if head.version is None:  # an unversioned bucket, where its own announcement is the only way to tell it apart
        return Claim(upload, "superseded")
    there = replace(upload, version=head.version, sequencer=None, size=head.size, removed=False, by=None)
    return decide(there, record, lambda _: head)


def _same(entry: LiveRelease | FailedUpload, upload: Upload) -> bool:
    if entry.key != upload.key:
        return False
    if upload.version and entry.object_version:
        return upload.version == entry.object_version
    return upload.sequencer is not None and upload.sequencer == entry.sequencer


def _same_drop(attempt: Attempt, upload: Upload) -> bool:
    return upload.version is not None and attempt.subject == f"{upload.key}@{upload.version}"


def _older(upload: Upload, live: LiveRelease) -> bool:
    """Tell whether S3 received the upload before what is live, by sequencers of one key, padded to the same length.

    See https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
    """
    if upload.key != live.key or not (upload.sequencer and live.sequencer):
        return False
    width = max(len(upload.sequencer), len(live.sequencer))
    return upload.sequencer.upper().ljust(width, "0") < live.sequencer.upper().ljust(width, "0")


def _under_other_key(upload: Upload, modified: str, live: LiveRelease) -> bool:
    """Tell whether another key of the app is newer: ``apps/x.zip`` and ``apps/dev/x.zip`` are the same app."""
    return upload.key != live.key and live.modified is not None and modified < live.modified


def _shifts_under_other_key(
    upload: Upload, head: Head, entry: JournalEntry | None, newest: Callable[[Upload], Head | None]
) -> bool:
    """Tell whether traffic shifts to a newer zip under the app's other key: else each would end the other's shift."""
    key = entry.key if entry and entry.traffic else upload.key
    other = newest(replace(upload, key=key)) if key != upload.key else None
    return other is not None and other.key == key and (head.modified, upload.key) < (other.modified, key)


def subject(upload: Upload) -> str:
    """Name an upload in a lease. Two messages about one version have the same name, unless one was redriven."""
    parts = (upload.key, upload.version or upload.sequencer or "", upload.redrive or "")
    return "@".join(part for part in parts if part)


class Ledger:
    """Reads and writes the table. Its exceptions are botocore's.

    Args:
        table: holds the items.
        seconds: how long a lease lasts without a renewal.
        now: seconds since 1970.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        table: Table,
        *,
        seconds: float = 120,
        now: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._table = table
        self._seconds = seconds
        self._now = now
        self._clock = clock

    def record(self, app: App) -> AppRecord:
        """Return what is known of an app, with a consistent read."""
        items = {item["sk"]: item for item in self._table.items(app_pk(app))}
        return AppRecord(
            _entry(LiveRelease, items.get("live")),
            _entry(FailedUpload, items.get("failed")),
            Lease.of(items.get(leases.SK)),
            _entry(JournalEntry, items.get("journal")),
        )

    def answers(self, apps: Collection[App]) -> dict[App, AppRecord]:
        """Return what is live and what failed last of several apps, in one consistent read, without the other items."""
        items = self._table.get([(app_pk(app), sk) for app in apps for sk in ("live", "failed")])
        found = {(item["pk"], item["sk"]): item for item in items}
        return {
            app: AppRecord(
                _entry(LiveRelease, found.get((app_pk(app), "live"))),
                _entry(FailedUpload, found.get((app_pk(app), "failed"))),
            )
            for app in apps
        }

    def claim(self, attempt: Attempt, upload: Upload, record: AppRecord, *, owner: str) -> HeldLease | None:
        """Claim the app's lease, and start an attempt's history; None while another worker has it.

        Args:
            attempt: as it begins.
            upload: what it is about.
            record: of the app, as it was when the decision to work on it was made.
            owner: unique to this claim.
        """
        return leases.claim(
            self._table,
            app_pk(upload.app),
            record.lease,
            owner=owner,
            subject=subject(upload),
            seconds=self._seconds,
            also=lambda lease: (attempt.put(upload.app, lease.fence),),
            now=self._now,
            clock=self._clock,
        )

    def duty(self, name: str, *, owner: str, every: float) -> Duty | None:
        """Claim a periodic task of the fleet; None if it is not due yet, or if somebody is doing it."""
        pk = f"fleet#{name}"
        items = {item["sk"]: item for item in self._table.items(pk)}
        last = float(items.get("done", {}).get("when") or 0)
        if self._now() - last < every:
            return None
        seen = Lease.of(items.get(leases.SK))
        hold = leases.claim(
            self._table, pk, seen, owner=owner, subject=name, seconds=self._seconds, now=self._now, clock=self._clock
        )
        return Duty(hold, pk, self._now) if hold else None

    def history(self, app: App, newest: int) -> list[Attempt]:
        """Return the newest attempts, latest first."""
        return [Attempt.of(item) for item in self._table.items(history_pk(app), newest=newest)]

    def releases(self, app: App) -> dict[str, PastRelease]:
        """Return an app's releases by the version of their zip, those that are collected included."""
        return past_releases(self._table.items(releases_pk(app)))

    def dropper(self, upload: Upload) -> Dropper | None:
        """Return who dropped an upload, as an earlier attempt at it was told; None if none was."""
        known = (it.by for it in self.history(upload.app, _ATTEMPTS_READ) if _same_drop(it, upload))
        return next(filter(None, known), None)

    def past_release(self, app: App, version: str) -> PastRelease | None:
        """Return the release that was live from a version of an app's zip; None if it never was."""
        if len(version.encode()) > _LONGEST_KEY:  # the uploader may write anything there
            return None
        items = self._table.get([(releases_pk(app), version)])
        return _entry(PastRelease, next(iter(items), None))


@dataclass(frozen=True, slots=True)
class Duty:
    """A claimed task of the fleet."""

    hold: HeldLease
    pk: str
    now: Callable[[], float]

    def complete(self) -> None:
        """Record that it is done for now; raises `Lost` when somebody else is doing it by now."""
        self.hold.finish(Put({"pk": self.pk, "sk": "done", "when": self.now()}))


def put_live(app: App, live: LiveRelease) -> Put:
    """Store what is live from now on."""
    return Put({"pk": app_pk(app), "sk": "live", **_attributes(live)})


def put_past_release(app: App, version: str, release: PastRelease) -> Put:
    """Store a release for rollbacks, until newer ones take its place (`worker.retention`)."""
    return Put({"pk": releases_pk(app), "sk": version, **_attributes(release)})


def past_releases(items: Iterable[Item]) -> dict[str, PastRelease]:
    """Read the items of an app's releases, by the version of the zip."""
    return {str(item["sk"]): past for item in items if (past := _entry(PastRelease, item))}


def put_failed(app: App, failed: FailedUpload) -> Put:
    """Store that an upload has failed for good."""
    return Put({"pk": app_pk(app), "sk": "failed", **_attributes(failed)})


def put_journal(app: App, entry: JournalEntry) -> Put:
    """Store how far the work has got."""
    return Put({"pk": app_pk(app), "sk": "journal", **_attributes(entry)})


def delete_journal(app: App) -> Delete:
    """Delete the journal entry: the work has ended, and the other items describe its result."""
    return Delete(app_pk(app), "journal")


def delete_live(app: App) -> tuple[Delete, Delete]:
    """Delete what was live, and what has failed."""
    return Delete(app_pk(app), "live"), Delete(app_pk(app), "failed")


def _attributes(entry: DataclassInstance) -> Item:
    return {it.metadata.get(ATTRIBUTE, it.name): getattr(entry, it.name) for it in fields(entry)}


def _entry(kind: type[E], item: Mapping[str, object] | None) -> E | None:
    if item is None:
        return None
    return kind(**{it.name: item.get(it.metadata.get(ATTRIBUTE, it.name)) for it in fields(kind)})

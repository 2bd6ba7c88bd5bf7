"""What the pipeline remembers of each app, in one DynamoDB table; docs/reference/ledger.md has every item.

What should be live is decided here too, by comparing: an announcement with what is live and what lies in the bucket.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Literal, Protocol, TypeVar

from auto_lambda.aws.dynamodb import Delete, Put
from auto_lambda.aws.s3 import Head
from auto_lambda.keys import ROLLBACK, App
from worker.model import Upload
from worker.records import lease as leases
from worker.records.journal import Attempt, Entry, history_pk
from worker.records.lease import HeldLease, Lease

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    E = TypeVar("E", bound=DataclassInstance)


_LONGEST_KEY = 1024  # bytes, DynamoDB's limit


@dataclass(frozen=True, slots=True)
class Live:
    """An upload that went live, and what became of it. ``modified`` (by S3) and ``when`` are ISO 8601, in UTC.

    ``before`` is the version of the object that a rollback leads to.
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
    before: str | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """An upload that its uploader has to mend. ``code`` is the receipt's; ``redrive`` the upload's."""

    key: str
    object_version: str | None
    sequencer: str | None
    code: str
    when: str
    redrive: str | None = None


@dataclass(frozen=True, slots=True)
class Earlier:
    """What went live from a version of a zip, for whoever wants it back: ``release`` is the text of a `Release`.

    ``before`` is the version of the object that a rollback from it leads to.
    """

    release: str
    before: str | None


@dataclass(frozen=True, slots=True)
class Record:
    """All that is known of one app. ``entry`` tells how far the last holder of the lease came."""

    live: Live | None = None
    failed: Failed | None = None
    lease: Lease = field(default_factory=Lease)
    entry: Entry | None = None

    def answered(self, upload: Upload) -> bool:
        """Whether this very version has its final receipt already."""
        if self.live and _same(self.live, upload):
            return True
        if self.failed is None or not _same(self.failed, upload):
            return False
        return upload.redrive is None or upload.redrive == self.failed.redrive

    def deployed_from(self, key: str) -> bool:
        """Whether that object is what is live; or, where nothing is, was found faulty and may have left a stack."""
        owner = self.live or self.failed
        return owner is not None and owner.key == key

    def may_be_in_aws(self, key: str) -> bool:
        """Whether there may be something in AWS of that object: it is deployed, or somebody began, or works on it."""
        held = self.lease.subject if self.lease.owner else None
        begun = self.entry.subject if self.entry else None
        unfinished = any(it is not None and it.startswith(f"{key}@") for it in (held, begun))
        return unfinished or self.deployed_from(key)

    def settles(self, upload: Upload, head: Head) -> bool:
        """Whether an object's newest version needs no announcement: it has its answer, or was in somebody's hands.

        An app's other key may hold a newer zip, which is then what counts.
        """
        in_hand = (self.lease.subject or "").startswith(subject(upload))
        other = self.live is not None and _under_other_key(upload, head.modified.isoformat(), self.live)
        return self.answered(upload) or in_hand or other


@dataclass(frozen=True, slots=True)
class Claim:
    """What is to be done about an upload: work (``go``), or nothing, since it is answered or a newer one exists.

    ``upload`` has the version that S3 named, where the event had none, and whether it is a rollback; ``modified`` is
    S3's, ISO 8601.
    """

    upload: Upload
    decision: Literal["go", "answered", "superseded"]
    modified: str | None = None


def decide(
    upload: Upload, record: Record, newest: Callable[[Upload], Head | None], *, undeploys: bool = False
) -> Claim:
    """Compare an upload with what is live and with what lies in the bucket now.

    Args:
        upload: as announced; or as its removal was.
        record: of its app.
        newest: asks S3 for the newest version of the upload's object; None when it was deleted.
        undeploys: whether a deleted object means that nothing should be live.
    """
    if upload.removed:
        return _undeploy(upload, record, newest)
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
    if upload.version != head.version or (record.live and _under_other_key(upload, modified, record.live)):
        return Claim(upload, "superseded", modified)
    return Claim(replace(upload, rollback=head.metadata.get(ROLLBACK)), "go", modified)


def _undeploy(upload: Upload, record: Record, newest: Callable[[Upload], Head | None]) -> Claim:
    """Nothing is to be done about a deleted object if it is there again, or if another is live.

    While somebody works on it, nobody knows yet: whoever wants the lease then comes again.
    """
    if not record.may_be_in_aws(upload.key):
        return Claim(upload, "answered")
    return Claim(upload, "superseded" if newest(upload) else "go")


def _same(entry: Live | Failed, upload: Upload) -> bool:
    if entry.key != upload.key:
        return False
    if upload.version and entry.object_version:
        return upload.version == entry.object_version
    return upload.sequencer is not None and upload.sequencer == entry.sequencer


def _older(upload: Upload, live: Live) -> bool:
    """Whether S3 saw the upload before what is live; sequencers say so, for one key and padded to one length.

    See https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
    """
    if upload.key != live.key or not (upload.sequencer and live.sequencer):
        return False
    width = max(len(upload.sequencer), len(live.sequencer))
    return upload.sequencer.upper().ljust(width, "0") < live.sequencer.upper().ljust(width, "0")


def _under_other_key(upload: Upload, modified: str, live: Live) -> bool:
    """``apps/x.zip`` and ``apps/dev/x.zip`` are one app: between two objects the later one counts."""
    return upload.key != live.key and live.modified is not None and modified < live.modified


def subject(upload: Upload) -> str:
    """What an upload is called in a lease: two messages about one version are the same, unless one was redriven."""
    parts = (upload.key, upload.version or upload.sequencer or "", upload.redrive or "")
    return "@".join(part for part in parts if part)


class Table(Protocol):
    """The table, as far as the ledger needs it."""

    def items(self, pk: str, *, newest: int | None = None) -> Iterator[dict[str, str | int | float | None]]:
        """All items of one ``pk``; or the ``newest`` so many, the last first."""

    def get(self, keys: Sequence[tuple[str, str]]) -> list[dict[str, str | int | float | None]]:
        """Those items that are there, of pairs of ``pk`` and ``sk``."""

    def write(self, *writes: Put | Delete) -> None:
        """All or nothing; raises `Refused`."""


class Ledger:
    """The table. What it raises is botocore's.

    Args:
        table: where all is kept.
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

    def record(self, app: App) -> Record:
        """What is known of an app, up to date."""
        items = {item["sk"]: item for item in self._table.items(_pk(app))}
        return Record(
            _entry(Live, items.get("live")),
            _entry(Failed, items.get("failed")),
            Lease.of(items.get(leases.SK)),
            _entry(Entry, items.get("journal")),
        )

    def answers(self, apps: Collection[App]) -> dict[App, Record]:
        """What is live and what failed last of several apps, up to date, in one read; leases and journals left out."""
        items = self._table.get([(_pk(app), sk) for app in apps for sk in ("live", "failed")])
        found = {(item["pk"], item["sk"]): item for item in items}
        return {
            app: Record(_entry(Live, found.get((_pk(app), "live"))), _entry(Failed, found.get((_pk(app), "failed"))))
            for app in apps
        }

    def claim(self, attempt: Attempt, upload: Upload, record: Record, *, owner: str) -> HeldLease | None:
        """Claim the app's lease, and start an attempt's history; None while another worker has it.

        Args:
            attempt: as it begins.
            upload: what it is about.
            record: of the app, as it was when the decision to work on it was made.
            owner: unique to this claim.
        """
        return leases.claim(
            self._table,
            _pk(upload.app),
            record.lease,
            owner=owner,
            subject=subject(upload),
            seconds=self._seconds,
            also=lambda lease: (attempt.put(upload.app, lease.fence),),
            now=self._now,
            clock=self._clock,
        )

    def duty(self, name: str, *, owner: str, every: float) -> Duty | None:
        """What the fleet has to do once ``every`` so many seconds; None if it is done, or somebody is at it."""
        pk = f"fleet#{name}"
        items = {item["sk"]: item for item in self._table.items(pk)}
        done = float(items.get("done", {}).get("when") or 0)
        if self._now() - done < every:
            return None
        seen = Lease.of(items.get(leases.SK))
        hold = leases.claim(
            self._table, pk, seen, owner=owner, subject=name, seconds=self._seconds, now=self._now, clock=self._clock
        )
        return Duty(hold, pk, self._now) if hold else None

    def history(self, app: App, newest: int) -> list[Attempt]:
        """The newest attempts, the last first."""
        return [Attempt.of(item) for item in self._table.items(history_pk(app), newest=newest)]

    def went_live(self, app: App, version: str) -> Earlier | None:
        """What a version of an app's zip was when it was live; None if it never was."""
        if len(version.encode()) > _LONGEST_KEY:  # whoever drops a zip may write anything there
            return None
        items = self._table.get([(_releases(app), version)])
        return _entry(Earlier, next(iter(items), None))


@dataclass(frozen=True, slots=True)
class Duty:
    """A duty of the fleet in our hands."""

    hold: HeldLease
    pk: str
    now: Callable[[], float]

    def done(self) -> None:
        """It need not be done again for a while; raises `Lost` when somebody else is at it by now."""
        self.hold.finish(Put({"pk": self.pk, "sk": "done", "when": self.now()}))


def put_live(app: App, live: Live) -> Put:
    """Stores what is live from now on."""
    return Put({"pk": _pk(app), "sk": "live", **asdict(live)})


def put_earlier(app: App, version: str, earlier: Earlier) -> Put:
    """Stores what went live, for as long as the table lasts: apps that change seldom want it back after years."""
    return Put({"pk": _releases(app), "sk": version, **asdict(earlier)})


def put_failed(app: App, failed: Failed) -> Put:
    """Stores that an upload has its answer."""
    return Put({"pk": _pk(app), "sk": "failed", **asdict(failed)})


def put_entry(app: App, entry: Entry) -> Put:
    """Stores how far the work has come."""
    return Put({"pk": _pk(app), "sk": "journal", **asdict(entry)})


def finished(app: App) -> Delete:
    """Forgets how far the work came: it came to its end, and what it left is what the ledger says."""
    return Delete(_pk(app), "journal")


def nothing_live(app: App) -> tuple[Delete, Delete]:
    """Forgets what was live, and what was found faulty."""
    return Delete(_pk(app), "live"), Delete(_pk(app), "failed")


def _pk(app: App) -> str:
    return f"app#{app}"


def _releases(app: App) -> str:
    return f"releases#{app}"


def _entry(kind: type[E], item: Mapping[str, object] | None) -> E | None:
    if item is None:
        return None
    return kind(**{it.name: item.get(it.name) for it in fields(kind)})

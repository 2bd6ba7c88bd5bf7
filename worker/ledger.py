"""What the pipeline remembers of each app, in one DynamoDB table: items under ``pk = app#<stage>/<name>``.

``sk = live`` tells what was last made live, ``sk = failed`` which upload was last found faulty.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from auto_lambda.aws.s3 import Head
from auto_lambda.keys import App
from worker.model import Upload

if TYPE_CHECKING:
    from _typeshed import DataclassInstance
    from mypy_boto3_dynamodb import DynamoDBClient

    E = TypeVar("E", bound=DataclassInstance)


@dataclass(frozen=True, slots=True)
class Live:
    """An upload that went live, and what became of it. ``modified`` (by S3) and ``when`` are ISO 8601, in UTC."""

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


@dataclass(frozen=True, slots=True)
class Failed:
    """An upload that its uploader has to mend. ``code`` is the receipt's."""

    key: str
    object_version: str | None
    sequencer: str | None
    code: str
    when: str


@dataclass(frozen=True, slots=True)
class Record:
    """All that is known of one app."""

    live: Live | None = None
    failed: Failed | None = None

    def answered(self, upload: Upload) -> bool:
        """Whether this very version has its final receipt already."""
        return any(entry is not None and _same(entry, upload) for entry in (self.live, self.failed))


@dataclass(frozen=True, slots=True)
class Claim:
    """What is to be done about an upload: work (``go``), or nothing, since it is answered or a newer one exists.

    ``upload`` has the version that S3 named, where the event had none; ``modified`` is S3's, ISO 8601.
    """

    upload: Upload
    decision: Literal["go", "answered", "superseded"]
    modified: str | None = None


def decide(upload: Upload, record: Record, newest: Callable[[Upload], Head | None]) -> Claim:
    """Compare an upload with what is live and with what lies in the bucket now.

    Args:
        upload: as announced.
        record: of its app.
        newest: asks S3 for the newest version of the upload's object; None when it was deleted.
    """
    if record.answered(upload):
        return Claim(upload, "answered")
    if record.live and _older(upload, record.live):
        return Claim(upload, "superseded")
    head = newest(upload)
    if head is None:
        return Claim(upload, "go")  # the fetch tells the uploader
    modified = head.modified.isoformat()
    upload = replace(upload, version=upload.version or head.version)
    if record.answered(upload):
        return Claim(upload, "answered", modified)
    if upload.version != head.version or (record.live and _under_other_key(upload, modified, record.live)):
        return Claim(upload, "superseded", modified)
    return Claim(upload, "go", modified)


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


class Ledger:
    """The table. What it raises is botocore's."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def record(self, app: App) -> Record:
        """What is known of an app, up to date."""
        answer = self._client.query(
            TableName=self._table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": _pk(app)}},
            ConsistentRead=True,
        )
        items = {item["sk"]["S"]: item for item in answer["Items"]}
        return Record(_entry(Live, items.get("live")), _entry(Failed, items.get("failed")))

    def set_live(self, app: App, live: Live) -> None:
        """This is live from now on."""
        self._put(app, "live", live)

    def set_failed(self, app: App, failed: Failed) -> None:
        """This has its answer."""
        self._put(app, "failed", failed)

    def _put(self, app: App, sk: str, entry: Live | Failed) -> None:
        texts = {"pk": _pk(app), "sk": sk, **asdict(entry)}
        item: dict[str, Any] = {name: {"S": text} for name, text in texts.items() if text is not None}
        self._client.put_item(TableName=self._table, Item=item)


def _pk(app: App) -> str:
    return f"app#{app}"


def _entry(kind: type[E], item: Mapping[str, Any] | None) -> E | None:
    if item is None:
        return None
    return kind(**{field.name: item.get(field.name, {}).get("S") for field in fields(kind)})

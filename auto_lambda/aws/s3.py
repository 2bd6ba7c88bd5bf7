"""S3, as far as we use it. The only module that calls it."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_PART, _PIECE = 8 * 1024 * 1024, 64 * 1024
"""Bytes of a part of an upload, of which S3 takes 10,000, and of what is in memory of it."""
_CHUNK = 256 * 1024
_TAKEN = {"412", "PreconditionFailed", "ConditionalRequestConflict"}
_MISSING = {"404", "NoSuchKey", "NoSuchVersion", "NotFound"}
_NO_VERSION = {"400", "405", "InvalidArgument", "MethodNotAllowed"}
"""Status codes for a string that is no version id, and for a delete marker's id; 400 has other causes, too."""


Announced = Mapping[str, tuple[str, ...]]
"""Event types by the ARN of the queue that is notified of them."""


_DENIED = {"AccessDenied", "403"}


def denied(error: ClientError) -> bool:
    """Tell whether an error is about missing permission."""
    return error.response.get("Error", {}).get("Code") in _DENIED


class ObjectMissing(Exception):
    """There is no such object or version, or its newest version is a delete marker."""


@dataclass(frozen=True, slots=True)
class Head:
    """The metadata of an object. ``size`` in bytes; ``version`` is None in an unversioned bucket.

    ``etag`` changes with the content; None if it was not requested. ``metadata`` is the uploader's, empty in listings.
    """

    key: str
    size: int
    version: str | None
    modified: datetime
    etag: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ObjectVersion:
    """One version of an object, as a listing tells of it; deletions are not listed. ``size`` in bytes."""

    version: str
    size: int
    modified: datetime


class ObjectStore:
    """Objects in buckets. Every call retries by itself; all exceptions but `ObjectMissing` are botocore's."""

    def __init__(self, client: S3Client) -> None:
        self._client = client

    def head(self, bucket: str, key: str, version: str | None = None) -> Head:
        """Read the metadata of an object, of its newest version unless one is given.

        Raises:
            ObjectMissing: it does not exist.
        """
        with _missing(key):
            answer = self._client.head_object(Bucket=bucket, Key=key, **_version(version))
        version = _real(answer.get("VersionId"))
        metadata = answer.get("Metadata") or {}
        return Head(key, answer["ContentLength"], version, answer["LastModified"], answer.get("ETag"), metadata)

    def find(self, bucket: str, key: str, version: str) -> Head | None:
        """Read the metadata of a version that a person has named; None if there is no such version."""
        try:
            return self.head(bucket, key, version)
        except ObjectMissing:
            return None
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in _NO_VERSION:
                return None
            raise

    def exists(self, bucket: str, key: str) -> bool:
        """Tell whether the object exists."""
        try:
            self.head(bucket, key)
        except ObjectMissing:
            return False
        return True

    def get(self, bucket: str, key: str) -> bytes:
        """Read a small object.

        Raises:
            ObjectMissing: it does not exist.
        """
        with _missing(key):
            return self._client.get_object(Bucket=bucket, Key=key)["Body"].read()

    @contextmanager
    def opened(self, bucket: str, key: str) -> Iterator[tuple[Head, Iterator[bytes]]]:
        """Open the newest version of an object: its metadata, and its bytes, of which as many are read as are taken.

        Raises:
            ObjectMissing: it does not exist.
        """
        with _missing(key):
            answer = self._client.get_object(Bucket=bucket, Key=key)
        head = Head(
            key, answer["ContentLength"], _real(answer.get("VersionId")), answer["LastModified"], answer.get("ETag")
        )
        with contextlib.closing(answer["Body"]) as body:
            yield head, body.iter_chunks(_CHUNK)

    def get_start(self, bucket: str, key: str, at_most: int) -> bytes:
        """Read the first bytes of an object whose size is not known.

        Raises:
            ObjectMissing: it does not exist.
        """
        with _missing(key):
            return self._client.get_object(Bucket=bucket, Key=key)["Body"].read(at_most)

    def get_part(self, bucket: str, key: str, first: int, at_most: int) -> bytes:
        """Read so many bytes of an object from ``first`` on; none if it ends before that.

        Raises:
            ObjectMissing: it does not exist.
        """
        try:
            with _missing(key):
                wanted = f"bytes={first}-{first + at_most - 1}"
                answer = self._client.get_object(Bucket=bucket, Key=key, Range=wanted)
                return answer["Body"].read(at_most)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in {"416", "InvalidRange"}:
                return b""
            raise

    def download(self, bucket: str, key: str, version: str | None, to: Path) -> None:
        """Download one version of an object.

        Raises:
            ObjectMissing: it does not exist, or no longer.
        """
        with _missing(key):
            self._client.download_file(bucket, key, str(to), ExtraArgs=_version(version))

    def put(self, bucket: str, key: str, body: bytes, content_type: str) -> None:
        """Write a small object."""
        self._client.put_object(Bucket=bucket, Key=key, Body=body, ContentType=content_type)

    def put_new(self, bucket: str, key: str, body: bytes, content_type: str) -> bool:
        """Write a small object unless one exists, and tell whether it was written.

        Of several attempts at the same time one succeeds, if the store has conditional writes.
        """
        try:
            self._client.put_object(Bucket=bucket, Key=key, Body=body, ContentType=content_type, IfNoneMatch="*")
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in _TAKEN:
                return False
            raise
        return True

    def upload(
        self,
        bucket: str,
        key: str,
        path: Path,
        progress: Callable[[int], None] | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        """Upload a file, in parts if it is large; ``progress`` is called with the bytes as they are sent."""
        self._client.upload_file(
            str(path), bucket, key, Callback=progress, ExtraArgs={"Metadata": dict(metadata)} if metadata else None
        )

    def upload_stream(self, bucket: str, key: str, stream: IO[bytes]) -> None:
        """Upload what a stream gives, in parts if it is large.

        A part waits in a file until it is sent: boto3's own way keeps several copies of it in memory. What the stream
        raises is raised, and nothing of it is kept.
        """
        with tempfile.TemporaryFile() as part:
            if _fill(part, stream) < _PART:
                self._client.put_object(Bucket=bucket, Key=key, Body=part)
                return
            begun = self._client.create_multipart_upload(Bucket=bucket, Key=key, ChecksumAlgorithm="CRC32")
            upload: Any = {"Bucket": bucket, "Key": key, "UploadId": begun["UploadId"]}
            try:
                parts = list(self._upload_parts(upload, part, stream))
                self._client.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
            except BaseException:
                self._client.abort_multipart_upload(**upload)
                raise

    def _upload_parts(self, upload: Any, part: IO[bytes], stream: IO[bytes]) -> Iterator[Any]:
        """Upload the first part, which has been read, and those that follow; yield what completes the upload."""
        number, size = 1, _PART
        while size:
            answer = self._client.upload_part(**upload, PartNumber=number, Body=part, ChecksumAlgorithm="CRC32")
            checksum = {name: answer[name] for name in ("ChecksumCRC32",) if name in answer}
            yield {"PartNumber": number, "ETag": answer["ETag"], **checksum}
            number, size = number + 1, _fill(part, stream)

    def renew(
        self, bucket: str, key: str, version: str, metadata: Mapping[str, str], *, source: str | None = None
    ) -> str | None:
        """Copy an earlier version of an object over it, with more metadata, and return the new version.

        Args:
            bucket: of both.
            key: of the object that is written.
            version: of the object that is read.
            metadata: to add; an empty value removes what is there.
            source: key of the object that is read, by default the same.

        Raises:
            ObjectMissing: that version does not exist, or no longer.
        """
        source = source or key
        with _missing(source):
            earlier = self._client.head_object(Bucket=bucket, Key=source, VersionId=version)
            answer = self._client.copy_object(
                Bucket=bucket,
                Key=key,
                CopySource={"Bucket": bucket, "Key": source, "VersionId": version},
                Metadata={name: value for name, value in {**earlier["Metadata"], **metadata}.items() if value},
                MetadataDirective="REPLACE",
                ContentType=earlier["ContentType"],
            )
        return _real(answer.get("VersionId"))

    def delete(self, bucket: str, key: str) -> str | None:
        """Delete an object, but not its versions, and return the version of the delete marker."""
        return _real(self._client.delete_object(Bucket=bucket, Key=key).get("VersionId"))

    def url(self, bucket: str, key: str) -> str:
        """Return an object's URL in the form of CloudFormation's ``TemplateURL``, on AWS and on an emulator."""
        return f"{self._client.meta.endpoint_url}/{bucket}/{key}"

    def list(self, bucket: str, prefix: str) -> Iterator[Head]:
        """List every object below a prefix, by key; ``version`` is None."""
        for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            for item in page.get("Contents", []):
                yield Head(item["Key"], item["Size"], None, item["LastModified"], item.get("ETag"))

    def versions(self, bucket: str, key: str) -> Iterator[ObjectVersion]:
        """List the versions of one object, newest first; none in an unversioned bucket."""
        pages = self._client.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=key)
        for page in pages:
            for item in page.get("Versions", []):
                if item["Key"] == key and (version := _real(item["VersionId"])):
                    yield ObjectVersion(version, item["Size"], item["LastModified"])

    def bucket_exists(self, bucket: str) -> bool:
        """Tell whether the bucket exists."""
        try:
            self._client.head_bucket(Bucket=bucket)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in {"404", "NoSuchBucket"}:
                return False
            raise
        return True

    def make_private(self, bucket: str, region: str) -> None:
        """Create a bucket that is never public, unless it exists in this account."""
        elsewhere: dict[str, Any] = {"CreateBucketConfiguration": {"LocationConstraint": region}}
        with contextlib.suppress(self._client.exceptions.BucketAlreadyOwnedByYou):
            self._client.create_bucket(Bucket=bucket, **({} if region == "us-east-1" else elsewhere))
        blocked = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
        self._client.put_public_access_block(
            Bucket=bucket,
            PublicAccessBlockConfiguration=dict.fromkeys(blocked, True),  # type: ignore[arg-type]
        )

    def tag_bucket(self, bucket: str, tags: Mapping[str, str]) -> None:
        """Give a bucket these tags in place of those that it has."""
        told = [{"Key": name, "Value": value} for name, value in tags.items()]
        self._client.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": told})  # type: ignore[typeddict-item]

    def versioned(self, bucket: str) -> bool:
        """Tell whether the bucket is versioned."""
        return self._client.get_bucket_versioning(Bucket=bucket).get("Status") == "Enabled"

    def announced(self, bucket: str) -> Announced:
        """Return the events of which the bucket notifies queues."""
        found: dict[str, tuple[str, ...]] = {}
        for item in self.notifications(bucket).get("QueueConfigurations", []):
            found[item["QueueArn"]] = (*found.get(item["QueueArn"], ()), *item["Events"])
        return found

    def notifications(self, bucket: str) -> dict[str, Any]:
        """Return the bucket's whole notification configuration, without the response's metadata."""
        answer: dict[str, Any] = dict(self._client.get_bucket_notification_configuration(Bucket=bucket))
        answer.pop("ResponseMetadata", None)
        return answer

    def set_notifications(self, bucket: str, configuration: dict[str, Any]) -> None:
        """Replace the bucket's whole notification configuration."""
        self._client.put_bucket_notification_configuration(
            Bucket=bucket,
            NotificationConfiguration=configuration,  # type: ignore[arg-type]
        )


def _fill(part: IO[bytes], stream: IO[bytes]) -> int:
    """Replace what a file holds with the next part of a stream; return its size."""
    part.seek(0)
    part.truncate()
    while (room := _PART - part.tell()) and (piece := stream.read(min(room, _PIECE))):
        part.write(piece)
    size = part.tell()
    part.seek(0)
    return size


def _version(version: str | None) -> dict[str, Any]:
    return {"VersionId": version} if version else {}


def _real(version: str | None) -> str | None:
    return None if version in (None, "null") else version


@contextmanager
def _missing(key: str) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") in _MISSING:
            raise ObjectMissing(key) from error
        raise

"""S3, as far as we use it. The only module that calls it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_TAKEN = {"412", "PreconditionFailed", "ConditionalRequestConflict"}
_MISSING = {"404", "NoSuchKey", "NoSuchVersion", "NotFound"}
_NO_VERSION = {"400", "405", "InvalidArgument", "MethodNotAllowed"}
"""What is said of a text that names no version at all, and of one that names a deletion; but 400 of much else, too."""


Announced = Mapping[str, tuple[str, ...]]
"""Kinds of events by the ARN of the queue that is told of them."""


_DENIED = {"AccessDenied", "403"}


def denied(error: ClientError) -> bool:
    """Whether we may not do what we tried to do."""
    return error.response.get("Error", {}).get("Code") in _DENIED


class ObjectMissing(Exception):
    """There is no such object, or not in that version, or its newest version is a delete marker."""


@dataclass(frozen=True, slots=True)
class Head:
    """What S3 says of an object. ``size`` in bytes; ``version`` is None on an unversioned bucket.

    ``etag`` changes with the content; None where it was not asked for. ``metadata`` is whatever the uploader put there;
    listing does not tell it.
    """

    key: str
    size: int
    version: str | None
    modified: datetime
    etag: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


class ObjectStore:
    """Objects in buckets. Every call retries by itself; what it raises beyond `ObjectMissing` is botocore's."""

    def __init__(self, client: S3Client) -> None:
        self._client = client

    def head(self, bucket: str, key: str, version: str | None = None) -> Head:
        """Ask for one object, the newest version unless one is named.

        Raises:
            ObjectMissing: it is not there.
        """
        with _missing(key):
            answer = self._client.head_object(Bucket=bucket, Key=key, **_version(version))
        version = _real(answer.get("VersionId"))
        metadata = answer.get("Metadata") or {}
        return Head(key, answer["ContentLength"], version, answer["LastModified"], metadata=metadata)

    def find(self, bucket: str, key: str, version: str) -> Head | None:
        """Ask for one version by what a person says it is; None if there is none of that name."""
        try:
            return self.head(bucket, key, version)
        except ObjectMissing:
            return None
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in _NO_VERSION:
                return None
            raise

    def exists(self, bucket: str, key: str) -> bool:
        """Whether the object is there."""
        try:
            self.head(bucket, key)
        except ObjectMissing:
            return False
        return True

    def get(self, bucket: str, key: str) -> bytes:
        """A small object, whole.

        Raises:
            ObjectMissing: it is not there.
        """
        with _missing(key):
            return self._client.get_object(Bucket=bucket, Key=key)["Body"].read()

    def download(self, bucket: str, key: str, version: str | None, to: Path) -> None:
        """Write one version of an object into a file.

        Raises:
            ObjectMissing: it is not there (any more).
        """
        with _missing(key):
            self._client.download_file(bucket, key, str(to), ExtraArgs=_version(version))

    def put(self, bucket: str, key: str, body: bytes, content_type: str) -> None:
        """Store a small object."""
        self._client.put_object(Bucket=bucket, Key=key, Body=body, ContentType=content_type)

    def put_new(self, bucket: str, key: str, body: bytes, content_type: str) -> bool:
        """Store a small object unless there is one already; whether it was stored.

        Of several that try at the same time one succeeds, where the store knows conditional writes.
        """
        try:
            self._client.put_object(Bucket=bucket, Key=key, Body=body, ContentType=content_type, IfNoneMatch="*")
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in _TAKEN:
                return False
            raise
        return True

    def upload(self, bucket: str, key: str, path: Path, progress: Callable[[int], None] | None = None) -> None:
        """Store a file, in parts when it is large; ``progress`` is told of bytes as they go."""
        self._client.upload_file(str(path), bucket, key, Callback=progress)

    def renew(self, bucket: str, key: str, version: str, metadata: Mapping[str, str]) -> str | None:
        """Make an earlier version of an object its newest one, with metadata beside its own; the version it has then.

        Raises:
            ObjectMissing: that version is not there (any more).
        """
        with _missing(key):
            earlier = self._client.head_object(Bucket=bucket, Key=key, VersionId=version)
            answer = self._client.copy_object(
                Bucket=bucket,
                Key=key,
                CopySource={"Bucket": bucket, "Key": key, "VersionId": version},
                Metadata={**earlier["Metadata"], **metadata},
                MetadataDirective="REPLACE",
                ContentType=earlier["ContentType"],
            )
        return _real(answer.get("VersionId"))

    def delete(self, bucket: str, key: str) -> str | None:
        """Make an object the one that is not there; its versions stay. The version of the marker that says so."""
        return _real(self._client.delete_object(Bucket=bucket, Key=key).get("VersionId"))

    def url(self, bucket: str, key: str) -> str:
        """An object's address in the form that CloudFormation's ``TemplateURL`` takes, on AWS and on an emulator."""
        return f"{self._client.meta.endpoint_url}/{bucket}/{key}"

    def list(self, bucket: str, prefix: str) -> Iterator[Head]:
        """Every object below a prefix, by key (versions are not listed and come as None)."""
        for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            for item in page.get("Contents", []):
                yield Head(item["Key"], item["Size"], None, item["LastModified"], item.get("ETag"))

    def bucket_exists(self, bucket: str) -> bool:
        """Whether there is such a bucket."""
        try:
            self._client.head_bucket(Bucket=bucket)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in {"404", "NoSuchBucket"}:
                return False
            raise
        return True

    def versioned(self, bucket: str) -> bool:
        """Whether the bucket keeps versions."""
        return self._client.get_bucket_versioning(Bucket=bucket).get("Status") == "Enabled"

    def announced(self, bucket: str) -> Announced:
        """What the bucket announces to queues."""
        found: dict[str, tuple[str, ...]] = {}
        for item in self.notifications(bucket).get("QueueConfigurations", []):
            found[item["QueueArn"]] = (*found.get(item["QueueArn"], ()), *item["Events"])
        return found

    def notifications(self, bucket: str) -> dict[str, Any]:
        """The bucket's whole notification configuration, as S3 gives it (without the response's metadata)."""
        answer: dict[str, Any] = dict(self._client.get_bucket_notification_configuration(Bucket=bucket))
        answer.pop("ResponseMetadata", None)
        return answer

    def set_notifications(self, bucket: str, configuration: dict[str, Any]) -> None:
        """Replace the bucket's whole notification configuration."""
        self._client.put_bucket_notification_configuration(
            Bucket=bucket,
            NotificationConfiguration=configuration,  # type: ignore[arg-type]
        )


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

"""Downloads one version of an upload."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from botocore.exceptions import BotoCoreError

from auto_lambda.aws.s3 import Head, ObjectMissing, ObjectStore
from auto_lambda.errors import AppError, Code
from worker.model import Upload

_ATTEMPTS = 3
_MEGABYTE = 1024 * 1024
_IN_ONE_CALL = 8 * _MEGABYTE  # larger ones come in parts, side by side


class ObjectChanging(Exception):
    """The object of an unversioned bucket was replaced faster than it could be read. It is retried later."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """An upload's zip on disk. ``upload`` has the version and size from S3; ``size`` in bytes."""

    upload: Upload
    path: Path
    sha256: str
    size: int


def fetch(upload: Upload, store: ObjectStore, into: Path, max_bytes: int) -> Fetched:
    """Download exactly one version of an upload, the newest when it names none.

    A replacement meanwhile cannot mix with it: a version never changes, and an object of an unversioned bucket is read
    again if its size has changed.

    Args:
        upload: what to fetch; the size and content type that were announced don't matter.
        store: S3.
        into: an existing folder; the zip becomes ``upload.zip`` in it.
        max_bytes: larger objects are refused before a byte of them is read.

    Raises:
        AppError: ``upload-deleted``, ``upload-too-large``.
        ObjectChanging: try again later.
    """
    path = into / "upload.zip"
    for _ in range(_ATTEMPTS):
        try:
            head = _download(upload, store, path, max_bytes)
        except ObjectMissing:
            raise AppError(
                Code.UPLOAD_DELETED,
                f"{upload.key} was deleted before it could be fetched",
                hint="Drop the zip again if it should go live; what was live before stays live.",
            ) from None
        if path.stat().st_size == head.size:
            return Fetched(replace(upload, version=head.version, size=head.size), path, _sha256(path), head.size)
    raise ObjectChanging(upload.key)


def _download(upload: Upload, store: ObjectStore, path: Path, max_bytes: int) -> Head:
    """Download a version. If the newest version is a delete marker, the object counts as deleted.

    Mostly the newest is wanted and small, and one call gives all of it.
    """
    with store.opened(upload.bucket, upload.key) as (head, chunks):
        wanted = upload.version in (None, head.version)
        if wanted and head.size <= _IN_ONE_CALL:
            _check_size(head, max_bytes)
            with suppress(BotoCoreError), path.open("wb") as file:  # a transfer repeats what breaks off
                file.writelines(chunks)
                return head
    if not wanted:
        head = store.head(upload.bucket, upload.key, upload.version)
    _check_size(head, max_bytes)
    store.download(upload.bucket, upload.key, head.version, path)
    return head


def _check_size(head: Head, max_bytes: int) -> None:
    if head.size > max_bytes:
        raise AppError(
            Code.UPLOAD_TOO_LARGE,
            f"{head.key} is {_megabytes(head.size)} MB; at most {_megabytes(max_bytes)} MB are allowed",
            hint="Leave virtual environments, data and build output out of the zip: dependencies are installed here.",
        )


def _megabytes(size: int) -> str:
    return f"{size / _MEGABYTE:,.1f}"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ResponseStreamingError
from moto import mock_aws

from auto_lambda.aws.s3 import Head, ObjectStore
from auto_lambda.errors import AppError, Code
from auto_lambda.keys import App
from worker.fetch import ObjectChanging, fetch
from worker.model import Upload

KEY = "apps/dev/shop.zip"
LIMIT = 1000


def upload(bucket: str, version: str | None = None, size: int | None = None) -> Upload:
    return Upload(App("dev", "shop"), bucket, KEY, version, None, size)


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket="versioned")
        client.put_bucket_versioning(Bucket="versioned", VersioningConfiguration={"Status": "Enabled"})
        client.create_bucket(Bucket="plain")
        yield client


def put(s3: Any, bucket: str, body: bytes, **more: Any) -> str | None:
    answer: dict[str, Any] = s3.put_object(Bucket=bucket, Key=KEY, Body=body, **more)
    return answer.get("VersionId")


def test_the_announced_version_is_fetched_though_a_newer_one_is_there(s3: Any, tmp_path: Path) -> None:
    old = put(s3, "versioned", b"old")
    put(s3, "versioned", b"newer")

    fetched = fetch(upload("versioned", old, size=99), ObjectStore(s3), tmp_path, LIMIT)

    assert fetched.path.read_bytes() == b"old"
    assert (fetched.upload.version, fetched.upload.size, fetched.size) == (old, 3, 3)
    assert fetched.sha256 == hashlib.sha256(b"old").hexdigest()


def test_without_an_announced_version_the_newest_is_fetched_and_named(s3: Any, tmp_path: Path) -> None:
    put(s3, "versioned", b"old")
    new = put(s3, "versioned", b"newer")

    fetched = fetch(upload("versioned"), ObjectStore(s3), tmp_path, LIMIT)

    assert fetched.path.read_bytes() == b"newer"
    assert fetched.upload.version == new


def test_a_bucket_without_versions_gives_what_is_there(s3: Any, tmp_path: Path) -> None:
    put(s3, "plain", b"content", ContentType="text/html")

    fetched = fetch(upload("plain"), ObjectStore(s3), tmp_path, LIMIT)

    assert fetched.path.read_bytes() == b"content"
    assert fetched.upload.version is None


@pytest.mark.parametrize("bucket", ["versioned", "plain"])
def test_a_deleted_object_is_the_uploaders_affair(s3: Any, tmp_path: Path, bucket: str) -> None:
    version = put(s3, bucket, b"content")
    s3.delete_object(Bucket=bucket, Key=KEY)

    with pytest.raises(AppError) as caught:
        fetch(upload(bucket, version), ObjectStore(s3), tmp_path, LIMIT)

    assert caught.value.code == Code.UPLOAD_DELETED


def test_an_erased_version_counts_as_deleted(s3: Any, tmp_path: Path) -> None:
    old = put(s3, "versioned", b"old")
    put(s3, "versioned", b"new")
    s3.delete_object(Bucket="versioned", Key=KEY, VersionId=old)

    with pytest.raises(AppError) as caught:
        fetch(upload("versioned", old), ObjectStore(s3), tmp_path, LIMIT)

    assert caught.value.code == Code.UPLOAD_DELETED


class Told(ObjectStore):
    """Tells one head after another, and counts the downloads."""

    def __init__(self, sizes: list[int], body: bytes = b"") -> None:
        self.sizes, self.body, self.downloads = sizes, body, 0
        self.breaks_off = False

    def head(self, bucket: str, key: str, version: str | None = None) -> Head:
        size = self.sizes.pop(0) if len(self.sizes) > 1 else self.sizes[0]
        return Head(key, size, version, datetime(2026, 1, 1, tzinfo=UTC))

    @contextmanager
    def opened(self, bucket: str, key: str) -> Iterator[tuple[Head, Iterator[bytes]]]:
        def chunks() -> Iterator[bytes]:
            self.downloads += 1
            yield self.body
            if self.breaks_off:
                raise ResponseStreamingError(error="reset")

        yield self.head(bucket, key), chunks()

    def download(self, bucket: str, key: str, version: str | None, to: Path) -> None:
        self.downloads += 1
        to.write_bytes(self.body)


def test_five_gigabytes_are_refused_by_s3s_word_before_a_byte_is_read(tmp_path: Path) -> None:
    store = Told([5 * 1024**3])

    with pytest.raises(AppError) as caught:
        fetch(upload("plain", size=10), store, tmp_path, LIMIT * 1024)

    assert caught.value.code == Code.UPLOAD_TOO_LARGE
    assert "5,120.0 MB" in caught.value.message
    assert store.downloads == 0


def test_an_object_just_at_the_limit_is_taken(s3: Any, tmp_path: Path) -> None:
    put(s3, "plain", b"x" * LIMIT)

    assert fetch(upload("plain"), ObjectStore(s3), tmp_path, LIMIT).size == LIMIT


def test_an_object_replaced_while_it_was_read_is_read_again(tmp_path: Path) -> None:
    store = Told([4, 7], b"changed")

    assert fetch(upload("plain"), store, tmp_path, LIMIT).size == 7
    assert store.downloads == 2


def test_what_breaks_off_on_its_way_is_read_again(tmp_path: Path) -> None:
    store = Told([7], b"changed")
    store.breaks_off = True

    fetched = fetch(upload("plain"), store, tmp_path, LIMIT)

    assert (fetched.path.read_bytes(), store.downloads) == (b"changed", 2)


def test_a_large_object_comes_in_parts(tmp_path: Path) -> None:
    size = 9 * 1024 * 1024
    store = Told([size], b"x" * size)

    assert fetch(upload("plain"), store, tmp_path, size).size == size
    assert store.downloads == 1


def test_an_object_that_never_rests_is_tried_again_later(tmp_path: Path) -> None:
    with pytest.raises(ObjectChanging):
        fetch(upload("plain"), Told([4], b"changed"), tmp_path, LIMIT)

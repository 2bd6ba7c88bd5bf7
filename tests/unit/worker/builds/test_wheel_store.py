from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto import mock_aws

from auto_lambda.aws.s3 import ObjectStore
from worker.builds.wheel_store import BucketWheelStore, NoWheelStore, Record, Spoiled, key_of

PARTS = {"source": "aa", "abi": "cp312"}
KEY = key_of(PARTS)
NAME = "six-1.0-py3-none-any.whl"


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[ObjectStore]:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        client = boto3.client(
            "s3",
            region_name="us-east-1",
            aws_access_key_id="x",
            aws_secret_access_key="x",
        )
        client.create_bucket(Bucket="artifacts")
        yield ObjectStore(client)


def offer(wheels: BucketWheelStore, tmp_path: Path, content: bytes) -> Record:
    wheel = tmp_path / NAME
    wheel.write_bytes(content)
    record = {"schema": 1, "key": PARTS, "wheel": {"file": NAME, "sha256": hashlib.sha256(content).hexdigest()}}
    wheels.store(KEY, record, wheel)
    return record


def fetch(wheels: BucketWheelStore, tmp_path: Path) -> bytes | None:
    into = tmp_path / "into"
    into.mkdir(exist_ok=True)
    return (into / NAME).read_bytes() if wheels.fetch(KEY, into) else None


def blob(content: bytes) -> str:
    return f"wheels/{KEY}/{hashlib.sha256(content).hexdigest()}/{NAME}"


def test_a_wheel_comes_back_with_its_record(tmp_path: Path, store: ObjectStore) -> None:
    wheels = BucketWheelStore(store, "artifacts")
    assert fetch(wheels, tmp_path) is None
    record = offer(wheels, tmp_path, b"wheel")
    assert fetch(wheels, tmp_path) == b"wheel"
    assert json.loads(store.get("artifacts", f"wheels/{KEY}/record.json")) == record


def test_the_first_offer_stays_unless_it_was_spoiled(tmp_path: Path, store: ObjectStore) -> None:
    wheels = BucketWheelStore(store, "artifacts")
    offer(wheels, tmp_path, b"first")
    offer(wheels, tmp_path, b"second")
    assert fetch(wheels, tmp_path) == b"first"
    store.put("artifacts", blob(b"first"), b"poison", "application/zip")
    offer(wheels, tmp_path, b"third")
    assert fetch(wheels, tmp_path) == b"third"


@pytest.mark.parametrize("found", [b"poison", b"whe", b""])
def test_a_wheel_that_was_exchanged_or_cut_off_is_found_out(tmp_path: Path, store: ObjectStore, found: bytes) -> None:
    wheels = BucketWheelStore(store, "artifacts")
    offer(wheels, tmp_path, b"wheel")
    store.put("artifacts", blob(b"wheel"), found, "application/zip")
    with pytest.raises(Spoiled):
        fetch(wheels, tmp_path)


@pytest.mark.parametrize(
    "record",
    [
        b"",
        b"[]",
        json.dumps({"key": {"source": "other"}, "wheel": {"file": NAME, "sha256": "0" * 64}}).encode(),
        json.dumps({"key": PARTS, "wheel": {"file": "../../x.whl", "sha256": "0" * 64}}).encode(),
        json.dumps({"key": PARTS, "wheel": {"file": NAME, "sha256": "0" * 64}}).encode(),
    ],
)
def test_a_record_that_is_none_or_of_another_wheel_is_found_out(
    tmp_path: Path, store: ObjectStore, record: bytes
) -> None:
    store.put("artifacts", f"wheels/{KEY}/record.json", record, "application/json")
    with pytest.raises(Spoiled):
        fetch(BucketWheelStore(store, "artifacts"), tmp_path)


def test_a_worker_on_its_own_has_nothing(tmp_path: Path) -> None:
    NoWheelStore().store(KEY, {}, tmp_path / NAME)
    assert NoWheelStore().fetch(KEY, tmp_path) is None

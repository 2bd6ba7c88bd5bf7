"""Collecting artifacts that no record leads to, and storing those anew that may be on their way out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from attempt_world import RELEASE
from tables import FakeTable

from auto_lambda.aws.dynamodb import Put
from auto_lambda.aws.s3 import ObjectStore
from auto_lambda.keys import App
from worker.deploy.artifacts import RENEWED, store_artifacts
from worker.model import Artifact
from worker.records.ledger import PastRelease, put_past_release
from worker.records.retention import RetentionRecords
from worker.retention.artifacts import OLD, ArtifactCollector, UnreadableRecord

SHOP, BANK = App("dev", "shop"), App("prod", "bank")
LATER = timedelta(days=8)
A = replace(RELEASE, template_key="bundles/a.template.json")


class World:
    """A bucket with artifacts, and a ledger."""

    def __init__(self, s3: Any, bucket: str) -> None:
        self.s3, self.bucket = s3, bucket
        self.table = FakeTable()
        s3.create_bucket(Bucket=bucket)

    def put(self, *keys: str) -> None:
        for key in keys:
            self.s3.put_object(Bucket=self.bucket, Key=key, Body=b"")

    def template(self, name: str, *parts: str) -> str:
        """Store a release, of code and perhaps a layer and a lock."""
        code, *rest = parts
        layer = [key for key in rest if key.startswith("layers/")]
        lock = [key for key in rest if key.endswith(".lock.txt")]
        resources = {
            "Api": {"Type": "AWS::Lambda::Function", "Properties": {"Code": {"S3Bucket": "b", "S3Key": code}}},
            **{key: {"Type": "AWS::Lambda::LayerVersion", "Properties": {"Content": {"S3Key": key}}} for key in layer},
        }
        about = {"AutoLambda": {"Lock": lock[0]} if lock else {}}
        key = f"bundles/{name}.template.json"
        body = json.dumps({"Resources": resources, "Metadata": about}).encode()
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=body)
        self.put(*parts)
        return key

    def record(self, app: App, version: str, template_key: str) -> None:
        past = PastRelease(replace(RELEASE, template_key=template_key).text(), None, "2026-01-01T00:00:00+00:00")
        self.table.write(put_past_release(app, version, past))

    def collect(self, after: timedelta = LATER) -> list[str]:
        records, now = RetentionRecords(self.table, "w"), datetime.now(UTC) + after
        return ArtifactCollector(records, ObjectStore(self.s3), self.bucket, now=lambda: now).collect()

    @property
    def keys(self) -> set[str]:
        return {item["Key"] for item in self.s3.list_objects_v2(Bucket=self.bucket).get("Contents", [])}


@pytest.fixture
def world(aws_client: Callable[[str], Any], request: pytest.FixtureRequest) -> Iterator[World]:
    s3 = aws_client("s3")
    world = World(s3, request.node.name.removeprefix("test_").split("[")[0].replace("_", "-")[:50].strip("-"))
    yield world
    for key in world.keys:
        s3.delete_object(Bucket=world.bucket, Key=key)
    s3.delete_bucket(Bucket=world.bucket)


def test_what_no_record_leads_to_goes(world: World) -> None:
    kept = world.template("a", "bundles/a.zip", "layers/a.zip", "bundles/a.lock.txt")
    world.record(SHOP, "v1", kept)
    gone = world.template("b", "bundles/b.zip", "layers/b.zip", "bundles/b.lock.txt")
    assert sorted(world.collect()) == sorted([gone, "bundles/b.zip", "layers/b.zip", "bundles/b.lock.txt"])
    assert world.keys == {kept, "bundles/a.zip", "layers/a.zip", "bundles/a.lock.txt"}


def test_what_apps_have_in_common_stays_while_one_needs_it(world: World) -> None:
    shop = world.template("shop", "bundles/same.zip", "layers/same.zip")
    bank = world.template("bank", "bundles/same.zip", "layers/same.zip")
    world.record(SHOP, "v1", shop)
    world.record(BANK, "v1", bank)
    world.table.items_.pop(("releases#dev/shop", "v1"))
    assert world.collect() == [shop]
    world.table.items_.pop(("releases#prod/bank", "v1"))
    assert world.keys - set(world.collect()) == set()


@pytest.mark.parametrize(
    "item",
    [
        {"pk": "app#dev/shop", "sk": "live", "template_key": "bundles/a.template.json"},
        {"pk": "app#dev/shop", "sk": "journal", "template_key": "bundles/a.template.json"},
        {"pk": "app#dev/shop", "sk": "failed", "release": A.text()},
        {"pk": "app#dev/shop", "sk": "failed", "deployed": "bundles/a.template.json"},
    ],
    ids=["live", "being deployed", "waits for an approval", "failed and stays deployed"],
)  # fmt: skip
def test_each_kind_of_record_leads_to_artifacts(world: World, item: dict[str, str]) -> None:
    world.template("a", "bundles/a.zip")
    world.table.write(Put(item))
    assert world.collect() == []


def test_what_is_young_stays_although_no_record_leads_to_it_yet(world: World) -> None:
    world.template("a", "bundles/a.zip")
    assert world.collect(after=OLD - timedelta(minutes=1)) == []


def test_other_parts_of_the_bucket_are_left_alone(world: World) -> None:
    world.put("wheels/k/record.json", "grants/dev/shop.json")
    assert world.collect() == []


def test_a_record_that_cannot_be_read_keeps_everything(world: World) -> None:
    world.template("a", "bundles/a.zip")
    world.table.write(put_past_release(SHOP, "v1", PastRelease("{}", None)))
    with pytest.raises(UnreadableRecord, match=r"releases#dev/shop v1"):
        world.collect()
    assert len(world.keys) == 2


def test_a_release_that_was_given_up_leads_to_nothing(world: World) -> None:
    key = world.template("a", "bundles/a.zip")
    world.table.write(put_past_release(SHOP, "v1", PastRelease(None, None, None, "2026-01-01")))
    assert sorted(world.collect()) == sorted([key, "bundles/a.zip"])


@pytest.mark.parametrize(("age", "said"), [(timedelta(0), "stored already"), (RENEWED, "stored, 3 bytes")])
def test_an_old_artifact_is_stored_anew(world: World, tmp_path: Path, age: timedelta, said: str) -> None:
    world.put("layers/a.zip")
    (tmp_path / "a").write_text("abc")
    log: list[str] = []
    now = datetime.now(UTC) + age
    artifacts = [Artifact(tmp_path / "a", "layers/a.zip")]
    store_artifacts(ObjectStore(world.s3), world.bucket, artifacts, log.append, now)
    assert said in log[0]
    assert (world.s3.head_object(Bucket=world.bucket, Key="layers/a.zip")["ContentLength"] == 3) is (age == RENEWED)


def test_renewal_comes_long_before_the_end() -> None:
    assert RENEWED * 2 < OLD

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from auto_lambda.aws.s3 import ObjectStore
from auto_lambda_cli.pipeline.maker import TemplateBucket, bucket_name, template_key
from auto_lambda_cli.pipeline.parts import Part

REGION = "eu-west-1"
BUCKET = bucket_name("staging", "1" * 12, REGION)


@pytest.fixture
def s3() -> Iterator[Any]:
    with mock_aws():
        yield boto3.client("s3", REGION, aws_access_key_id="x", aws_secret_access_key="y")


def part(text: str) -> Part:
    return Part("core", text, {}, frozenset())


def test_the_bucket_is_private_and_made_once(s3: Any) -> None:
    for _ in range(2):
        ObjectStore(s3).make_private(BUCKET, REGION)
    blocked = s3.get_public_access_block(Bucket=BUCKET)["PublicAccessBlockConfiguration"]
    assert set(blocked.values()) == {True}
    assert s3.get_bucket_location(Bucket=BUCKET)["LocationConstraint"] == REGION


def test_a_template_is_stored_once_under_the_name_of_its_content(s3: Any) -> None:
    store = ObjectStore(s3)
    store.make_private(BUCKET, REGION)
    templates = TemplateBucket(store, BUCKET)
    first = templates.put(part("A: 1"))
    written = s3.head_object(Bucket=BUCKET, Key=template_key(part("A: 1")))["LastModified"]
    assert templates.put(part("A: 1")) == first
    assert s3.head_object(Bucket=BUCKET, Key=template_key(part("A: 1")))["LastModified"] == written
    assert templates.put(part("A: 2")) != first
    assert first.endswith("/core.yaml")
    assert [it.key for it in store.list(BUCKET, "templates/")] == sorted(template_key(part(f"A: {n}")) for n in (1, 2))


def test_the_bucket_is_tagged(s3: Any) -> None:
    store = ObjectStore(s3)
    store.make_private(BUCKET, REGION)
    store.tag_bucket(BUCKET, {"team": "tools"})
    assert s3.get_bucket_tagging(Bucket=BUCKET)["TagSet"] == [{"Key": "team", "Value": "tools"}]

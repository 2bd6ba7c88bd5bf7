"""Bucket notifications on moto, the second opinion."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from auto_lambda.aws.s3 import ObjectStore
from auto_lambda.errors import AppError, Code
from auto_lambda.keys import App
from auto_lambda.model import BucketNotification
from worker.deploy.bucket_notifications import BucketNotifications, BucketSubscription, check_buckets

SHOP, OTHER = App("dev", "shop"), App("dev", "other")
ARN = "arn:aws:lambda:us-east-1:123456789012:function:"


def subscription(
    function: str = "Work", bucket: str = "pictures", suffix: str = ".png", called: tuple[str, ...] = ()
) -> BucketSubscription:
    wanted = BucketNotification(bucket, function, ("s3:ObjectCreated:*",), suffix=suffix, called=called)
    return BucketSubscription(wanted, f"{ARN}{function}:live")


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[ObjectStore]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket="pictures")
        client.create_bucket(Bucket="videos")
        yield ObjectStore(client)


@pytest.fixture
def events(store: ObjectStore) -> BucketNotifications:
    return BucketNotifications(store, sleep=lambda _: None)


def entries(store: ObjectStore, bucket: str = "pictures") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = store.notifications(bucket).get("LambdaFunctionConfigurations", [])
    return found


def test_merged_beside_another_app_and_idempotent(store: ObjectStore, events: BucketNotifications) -> None:
    said: list[str] = []
    events.apply(OTHER, [subscription("Else", suffix=".gif")], (), said.append)
    events.apply(SHOP, [subscription()], (), said.append)
    before = copy.deepcopy(entries(store))
    events.apply(SHOP, [subscription()], (), said.append)
    assert entries(store) == before
    assert sorted(entry["LambdaFunctionArn"] for entry in before) == [f"{ARN}Else:live", f"{ARN}Work:live"]
    assert len(said) == 2, "nothing was done the third time"


def test_what_is_wanted_no_more_is_taken_out(store: ObjectStore, events: BucketNotifications) -> None:
    events.apply(OTHER, [subscription("Else", suffix=".gif")], (), print)
    events.apply(SHOP, [subscription(), subscription(bucket="videos")], (), print)
    events.apply(SHOP, [subscription(suffix=".jpg")], [subscription(bucket="videos").wanted], print)
    assert [entry["LambdaFunctionArn"] for entry in entries(store)] == [f"{ARN}Else:live", f"{ARN}Work:live"]
    assert entries(store)[1]["Filter"]["Key"]["FilterRules"][0]["Value"] == ".jpg"
    assert entries(store, "videos") == []


def test_a_bucket_that_is_gone_matters_only_if_it_is_wanted(events: BucketNotifications) -> None:
    said: list[str] = []
    events.apply(SHOP, [], [subscription(bucket="gone").wanted], said.append)
    assert "could not be taken out (NoSuchBucket" in said[0]
    with pytest.raises(AppError, match="bucket gone, and S3 refused: NoSuchBucket") as caught:
        events.apply(SHOP, [subscription(bucket="gone")], (), said.append)
    assert caught.value.code is Code.BUCKET_NOTIFICATION_FAILED


LONGEST = App("s" * 40, "n" * 40)


def test_zappas_handler_finds_the_function_behind_the_last_colon_of_the_id(
    store: ObjectStore, events: BucketNotifications
) -> None:
    long = f"jobs.{'x' * 135}"
    for name in ("jobs.on_upload", long):
        events.apply(LONGEST, [subscription(called=(name,))], (), print)
        (entry,) = entries(store)
        assert entry["Id"].split(":")[-1] == name
        assert len(entry["Id"]) <= 255


def test_an_id_without_a_colon_stands_for_all_functions_of_the_bucket_and_is_replaced_like_any_other(
    store: ObjectStore, events: BucketNotifications
) -> None:
    events.apply(OTHER, [subscription("Else", suffix=".gif", called=("a.b", "c.d"))], (), print)
    events.apply(SHOP, [subscription(called=("a.b", "c.d"))], (), print)
    assert [":" in entry["Id"] for entry in entries(store)] == [False, False]
    events.apply(SHOP, [subscription(called=("a.b",))], (), print)
    assert [":" in entry["Id"] for entry in entries(store)] == [False, True]
    events.apply(SHOP, [], [subscription().wanted], print)
    assert [entry["LambdaFunctionArn"] for entry in entries(store)] == [f"{ARN}Else:live"]


class Careless(ObjectStore):
    """Its first writes are lost: another app wrote in between."""

    def __init__(self, store: ObjectStore, lost: int, error: ClientError | None = None) -> None:
        self._store, self._lost, self._error = store, lost, error

    def notifications(self, bucket: str) -> dict[str, Any]:
        return self._store.notifications(bucket)

    def set_notifications(self, bucket: str, configuration: dict[str, Any]) -> None:
        self._lost -= 1
        if self._lost < 0:
            self._store.set_notifications(bucket, configuration)
        elif self._error:
            raise self._error


def refused(message: str) -> ClientError:
    return ClientError({"Error": {"Code": "InvalidArgument", "Message": message}}, "PutBucketNotification")


@pytest.mark.parametrize("error", [None, refused("Unable to validate the following destination configurations")])
def test_a_race_and_a_permission_that_has_not_spread(store: ObjectStore, error: ClientError | None) -> None:
    BucketNotifications(Careless(store, 3, error), sleep=lambda _: None).apply(SHOP, [subscription()], (), print)
    assert len(entries(store)) == 1


def test_a_permission_may_take_a_minute_until_s3_sees_it(store: ObjectStore) -> None:
    slept: list[float] = []
    late = refused("Unable to validate the following destination configurations")
    BucketNotifications(Careless(store, 18, late), sleep=slept.append).apply(SHOP, [subscription()], (), print)
    assert len(entries(store)) == 1
    assert 55 <= sum(slept) <= 70


def test_an_overlap_is_the_uploaders(store: ObjectStore) -> None:
    careless = Careless(store, 99, refused("Configurations overlap. Configurations on the same bucket cannot share..."))
    with pytest.raises(AppError, match="Configurations overlap"):
        BucketNotifications(careless, sleep=lambda _: None).apply(SHOP, [subscription()], (), print)


def test_trouble_of_ours_is_no_app_error(store: ObjectStore) -> None:
    error = ClientError({"Error": {"Code": "SlowDown", "Message": "Please reduce"}}, "PutBucketNotification")
    with pytest.raises(ClientError):
        BucketNotifications(Careless(store, 99, error), sleep=lambda _: None).apply(SHOP, [subscription()], (), print)


@pytest.mark.parametrize("bucket", ["My Bucket!", "ab", "a/b", "arn:aws:s3:::pictures", "", "x" * 300])
def test_a_name_that_no_bucket_can_have_is_the_uploaders_to_correct(bucket: str) -> None:
    with pytest.raises(AppError, match="that name") as caught:
        check_buckets([subscription(bucket=bucket).wanted])
    assert caught.value.code is Code.BUCKET_NOTIFICATION_FAILED


def test_names_that_buckets_have_pass() -> None:
    check_buckets([subscription(bucket=name).wanted for name in ("pictures", "a.b-c", "Old_Bucket")])

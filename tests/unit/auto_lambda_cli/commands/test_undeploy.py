"""``auto-lambda undeploy``: only where deletions count, only what is there, and only when it is meant."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from commands import BUCKET, RECEIPT, run

from auto_lambda import drops
from auto_lambda_cli.commands import undeploy
from auto_lambda_cli.commands.undeploy import deletions_count

KEY = "apps/dev/shop.zip"
SERVING = {"url": None, "function": "shop-dev", "version": "3", "upload": "1", "before": None}


class Notified:
    """A bucket that announces so."""

    def __init__(self, *events: str, error: str | None = None) -> None:
        self.events = events
        self.error = error

    def announced(self, bucket: str) -> Any:
        if self.error:
            raise ClientError({"Error": {"Code": self.error, "Message": "no"}}, "GetBucketNotificationConfiguration")
        return {"arn": self.events}


@pytest.mark.parametrize(
    ("bucket", "count"),
    [
        (Notified("s3:ObjectCreated:*", "s3:ObjectRemoved:*"), True),
        (Notified("s3:ObjectCreated:*"), False),
        (Notified(), False),
        (Notified(error="AccessDenied"), True),
    ],
)
def test_deletions_count_where_the_bucket_announces_them(bucket: Any, count: bool) -> None:
    assert deletions_count(bucket, BUCKET) is count


def test_what_else_the_bucket_complains_of_is_not_swallowed() -> None:
    with pytest.raises(ClientError):
        deletions_count(Notified(error="NoSuchBucket"), BUCKET)  # type: ignore[arg-type]


@pytest.fixture
def counting(s3: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A bucket that announces deletions, with an app that is live."""
    monkeypatch.setattr(undeploy, "deletions_count", lambda store, bucket: True)
    s3.put_object(Bucket=BUCKET, Key=KEY, Body=b"zip")
    tell(s3, "live", SERVING)
    return s3


def tell(s3: Any, status: str, serving: Any) -> None:
    fields = {**RECEIPT, "status": status, "upload": {"key": KEY, "version": "1"}, "serving": serving}
    s3.put_object(Bucket=BUCKET, Key="apps/dev/shop.receipt.json", Body=json.dumps(fields).encode())


def there(s3: Any) -> bool:
    return bool(s3.list_objects_v2(Bucket=BUCKET, Prefix=KEY).get("Contents"))


def test_the_zip_is_deleted_and_the_app_followed_out(counting: Any, while_waiting: Any) -> None:
    def work(_: float) -> None:
        (marker,) = counting.list_object_versions(Bucket=BUCKET, Prefix=KEY)["DeleteMarkers"]
        upload = {"key": KEY, "version": marker["VersionId"]}
        fields = {**RECEIPT, "status": "superseded", "upload": upload, "serving": None}
        counting.put_object(Bucket=BUCKET, Key="apps/dev/shop.receipt.json", Body=json.dumps(fields).encode())

    while_waiting(work)
    done = run("undeploy", "shop", "--yes", "--json")
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["status"] == "superseded"
    assert "removed from AWS" in done.stderr
    assert "superseded" not in done.stderr


def test_a_newer_zip_meanwhile_is_no_success(counting: Any, while_waiting: Any) -> None:
    while_waiting(lambda _: counting.put_object(Bucket=BUCKET, Key=KEY, Body=b"new"))
    done = run("undeploy", "shop", "--yes")
    assert (done.exit_code, "a newer zip" in done.stderr) == (1, True)


@pytest.mark.parametrize(("options", "told"), [(["--dry-run"], "would delete apps/dev/shop.zip"), ([], "--yes")])
def test_unless_it_is_meant_nothing_is_deleted(counting: Any, options: list[str], told: str) -> None:
    done = run("undeploy", "shop", *options)
    assert done.exit_code == (0 if options else 2)
    assert told in done.stderr
    assert there(counting)


@pytest.mark.parametrize(
    ("status", "told"),
    [("superseded", "is not in AWS"), ("building", "wait until that has ended")],
)
def test_what_is_not_in_aws_or_not_yet_is_left_alone(counting: Any, status: str, told: str) -> None:
    tell(counting, status, None)
    done = run("undeploy", "shop", "--yes")
    assert (done.exit_code, told in done.stderr) == (2, True)
    assert there(counting)


@pytest.mark.parametrize("status", ["failed", "delayed"])
def test_a_first_zip_that_did_not_go_live_may_have_left_something(counting: Any, status: str) -> None:
    tell(counting, status, None)
    assert run("undeploy", "shop", "--yes", "--no-wait").exit_code == 0
    assert not there(counting)


def test_of_two_keys_the_one_that_is_live_is_followed(counting: Any) -> None:
    live = counting.put_object(Bucket=BUCKET, Key="apps/shop.zip", Body=b"zip")["VersionId"]
    tell(counting, "failed", {**SERVING, "upload": live})
    assert run("undeploy", "shop", "--yes", "--no-wait").stdout == "apps/shop.zip\n"
    assert not there(counting)


def test_not_gone_in_time_exits_3(counting: Any, while_waiting: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 1000, 10))
    monkeypatch.setitem(drops.follow.__kwdefaults__ or {}, "clock", lambda: next(clock))
    while_waiting(lambda _: None)
    done = run("undeploy", "shop", "--yes", "--timeout", "30")
    assert (done.exit_code, "still in AWS after 30 s" in done.stderr) == (3, True)


def test_a_pipeline_that_keeps_apps_is_told_apart_before_anything_is_deleted(s3: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key=KEY, Body=b"zip")
    tell(s3, "live", SERVING)
    done = run("undeploy", "shop", "--yes")
    assert (done.exit_code, "UndeployOnDelete" in done.stderr) == (2, True)
    assert there(s3)

"""``auto-lambda rollback``: what it goes back to, and when it rather says what else might be meant."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from commands import BUCKET, RECEIPT, run

from auto_lambda.keys import ROLLBACK

KEY = "apps/dev/shop.zip"


@pytest.fixture
def versions(s3: Any) -> list[str]:
    """Three versions of a zip; the last one is live, and the second was before it."""
    made = [s3.put_object(Bucket=BUCKET, Key=KEY, Body=body)["VersionId"] for body in (b"one", b"two", b"three")]
    tell(s3, "live", made[2], made[1])
    return made


def tell(s3: Any, status: str, upload: str | None, before: str | None) -> None:
    """The receipt of the newest zip, and what is live by it."""
    serving = {"url": None, "function": "shop-dev", "version": "3", "upload": upload, "before": before}
    newest = s3.head_object(Bucket=BUCKET, Key=KEY)["VersionId"]
    fields = {**RECEIPT, "status": status, "upload": {"key": KEY, "version": newest}, "serving": upload and serving}
    s3.put_object(Bucket=BUCKET, Key="apps/dev/shop.receipt.json", Body=json.dumps(fields).encode())


def newest(s3: Any) -> tuple[bytes, str | None]:
    """What the zip is now, and what it asks for."""
    answer = s3.get_object(Bucket=BUCKET, Key=KEY)
    return answer["Body"].read(), answer["Metadata"].get(ROLLBACK)


def test_it_goes_back_to_what_was_live_before(s3: Any, versions: list[str], answer: Callable[..., None]) -> None:
    answer()
    done = run("rollback", "shop")
    assert (done.exit_code, done.stdout) == (0, "https://shop.example/\n")
    assert newest(s3) == (b"two", versions[1])
    assert f"from version 3 (zip {versions[2]}) back to zip {versions[1]}" in done.stderr


def test_it_goes_anywhere(s3: Any, versions: list[str]) -> None:
    done = run("rollback", "shop", "--to", versions[0], "--no-wait", "--json")
    told = json.loads(done.stdout)
    assert (done.exit_code, told["key"], told["size"]) == (0, KEY, 3)
    assert newest(s3) == (b"one", versions[0])
    assert s3.head_object(Bucket=BUCKET, Key=KEY)["VersionId"] == told["version"]


def test_a_zip_that_was_dropped_by_hand_is_found_under_its_own_key(s3: Any) -> None:
    first = s3.put_object(Bucket=BUCKET, Key="apps/blog.zip", Body=b"one")["VersionId"]
    second = s3.put_object(Bucket=BUCKET, Key="apps/blog.zip", Body=b"two")["VersionId"]
    receipt = {
        **RECEIPT, "upload": {"version": second}, "serving": {"version": "2", "upload": second, "before": first},
    }  # fmt: skip
    s3.put_object(Bucket=BUCKET, Key="apps/blog.receipt.json", Body=json.dumps(receipt).encode())
    assert run("rollback", "blog", "--no-wait").stdout == "apps/blog.zip\n"


def test_a_dry_run_changes_nothing(s3: Any, versions: list[str]) -> None:
    done = run("rollback", "shop", "--dry-run")
    assert (done.exit_code, newest(s3)) == (0, (b"three", None))
    assert versions[1] in done.stderr


def test_what_was_live_under_the_other_key_is_gone_back_to_there(s3: Any, versions: list[str]) -> None:
    short = s3.put_object(Bucket=BUCKET, Key="apps/shop.zip", Body=b"short")["VersionId"]
    fields = {**RECEIPT, "updated": "2025-01-01", "upload": {"key": "apps/shop.zip", "version": short}}
    s3.put_object(Bucket=BUCKET, Key="apps/shop.receipt.json", Body=json.dumps(fields).encode())
    tell(s3, "live", versions[2], short)
    assert run("rollback", "shop", "--no-wait").stdout == "apps/shop.zip\n"
    assert newest(s3) == (b"three", None)


def test_a_zip_that_nobody_has_taken_up_yet_is_not_buried(s3: Any, versions: list[str]) -> None:
    s3.put_object(Bucket=BUCKET, Key=KEY, Body=b"a colleague's")
    done = run("rollback", "shop")
    assert (done.exit_code, newest(s3)) == (2, (b"a colleague's", None))
    assert f"{KEY} was dropped and waits" in done.stderr
    assert f"To keep what is live: --to {versions[2]}" in done.stderr


@pytest.mark.parametrize(
    ("status", "told"),
    [("failed", "is not live (failed): version 3"), ("building", "To keep what is live: --to {live}")],
)
def test_a_newest_zip_that_is_not_live_is_not_what_one_goes_back_from(
    s3: Any, versions: list[str], status: str, told: str
) -> None:
    tell(s3, status, versions[1], versions[0])
    done = run("rollback", "shop")
    assert (done.exit_code, newest(s3)) == (2, (b"three", None))
    assert told.format(live=versions[1]) in done.stderr
    assert f"To go back further: --to {versions[0]}" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "live", "told"),
    [
        (["shop"], True, "Nothing is known to have been live before"),
        (["shop"], False, "auto-lambda releases shop"),
        (["never"], True, "is not live"),
        (["Not A Name"], True, "Not A Name"),
        (["shop", "--to", "nowhere"], True, "auto-lambda releases shop"),
        (["shop", "--to", "nowhere", "--dry-run"], True, "has no zip nowhere"),
        (["shop", "--to", ""], True, "too short"),
    ],
)
def test_where_there_is_nothing_to_go_back_to(
    s3: Any, versions: list[str], arguments: list[str], live: bool, told: str
) -> None:
    tell(s3, "live" if live else "superseded", versions[2] if live else None, None)
    done = run("rollback", *arguments)
    assert (done.exit_code, newest(s3)) == (2, (b"three", None))
    assert told in done.stderr

"""What looks meant as an app gets an answer with a name that works; nobody else's archive gets one."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auto_lambda.keys import ENDINGS, log_key, parse, receipt_key, upload_key
from worker.consumer.misnamed import ANNOUNCED, looks_meant, nearest, reason

MISNAMED = {
    "shop.zip": "apps/shop.zip",
    "My Shop.zip": "apps/my-shop.zip",
    "dev/shop.zip": "apps/dev/shop.zip",
    "Prod/Shop.ZIP": "apps/prod/shop.zip",
    "Apps/dev/shop.zip": "apps/dev/shop.zip",
    "app/shop.zip": "apps/shop.zip",
    "apps/dev/shop.ZIP": "apps/dev/shop.zip",
    "apps/shop.Zip": "apps/shop.zip",
    "apps/dev/shop.tar.gz": "apps/dev/shop.zip",
    "apps/shop.tgz": "apps/shop.zip",
    "shop.7z": "apps/shop.zip",
    "apps/my.shop.v2.zip": "apps/my-shop-v2.zip",
    "apps/my_app.zip": "apps/my-app.zip",
    "apps/team/dev/shop.zip": "apps/dev/shop.zip",
    "apps/dev/shop/app.zip": "apps/dev/shop.zip",
    "apps/a/b/c.zip": "apps/b/c.zip",
    "apps/dev/Größe.zip": "apps/dev/groe.zip",
    "apps/🛒.zip": "apps/app.zip",
    "apps//shop.zip": "apps/dev/shop.zip",
    "apps/al-shop.zip": "apps/shop.zip",
}


@pytest.mark.parametrize(("key", "better"), MISNAMED.items())
def test_a_misnamed_archive_is_told_the_nearest_good_name(key: str, better: str) -> None:
    assert looks_meant(key)
    assert nearest(key) == better
    assert parse(better)
    assert reason(key)


@pytest.mark.parametrize(
    "key",
    ["backups/2026/shop.zip", "elsewhere/shop.zip", "readme.md", "apps/dev/", "apps/shop", "apps/shop.receipt.json",
     "apps/shop.log", "shop.zip/", "apps/app.py", "", ".zip/x"],
)  # fmt: skip
def test_what_is_no_archive_or_lies_elsewhere_is_nobodys_app(key: str) -> None:
    assert not looks_meant(key)


@given(st.text(max_size=80) | st.text("apsdevzi/.-_Z é", max_size=40))
def test_the_nearest_name_is_always_one_that_works(key: str) -> None:
    assert parse(nearest(key))
    assert reason(key)


@pytest.mark.parametrize("key", ["shop.zip", *MISNAMED])
def test_no_answer_is_announced_in_turn_nor_takes_the_place_of_an_apps_own(key: str) -> None:
    for answer in (receipt_key(key), log_key(key)):
        assert not looks_meant(answer)
        assert not answer.endswith(ANNOUNCED)
        assert answer != receipt_key(nearest(key)) or key.endswith(".zip")


@pytest.mark.parametrize("key", ["shop.zip", "apps/dev/shop.ZIP", "apps/shop.tar.gz", "apps/dev/shop.zip"])
def test_a_receipt_leads_back_to_its_archive(key: str) -> None:
    assert upload_key(receipt_key(key)) == key


def test_the_endings_that_the_bucket_announces_do_not_overlap() -> None:
    assert {one.lower() for one in ANNOUNCED} == set(ENDINGS)
    assert not [pair for pair in permutations(ANNOUNCED, 2) if pair[0].endswith(pair[1])]


@pytest.mark.parametrize(("key", "word"), [("apps/shop.ZIP", "lower case"), ("shop.tgz", "only zips")])
def test_the_reason_says_what_is_wrong(key: str, word: str) -> None:
    assert word in reason(key)

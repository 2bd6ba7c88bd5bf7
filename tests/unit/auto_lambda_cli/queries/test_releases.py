"""The releases of an app, and the short ids that name them."""

from __future__ import annotations

import pytest
from commands import BUCKET
from hypothesis import given
from hypothesis import strategies as st
from seen_pipeline import ANNA, SHOP, SeenPipeline

from auto_lambda_cli.queries.releases import (
    ListedRelease,
    NoSuchRelease,
    release_id,
    releases,
    shortened,
)
from auto_lambda_cli.queries.services import Services


def test_each_version_tells_what_became_of_it(pipeline: SeenPipeline, services: Services) -> None:
    first = pipeline.drop(body=b"1")
    pipeline.go_live(first)
    broken = pipeline.drop(body=b"22")
    pipeline.attempt(broken, "failed", code="unhealthy")
    second = pipeline.drop(body=b"333")
    pipeline.go_live(second, before=first)
    told = releases(services, SHOP)
    assert told.unknown == ()
    by_id = {it.id: it for it in told.listed}
    assert set(by_id) == {first, broken, second}
    live, old, failed = by_id[second], by_id[first], by_id[broken]
    assert (live.live, live.outcome, live.function_version, live.by, live.size) == (True, "live", "2", str(ANNA), 3)
    assert (old.live, old.restorable, old.python, old.framework) == (False, True, "3.12", "zappa")
    assert (failed.outcome, failed.code, failed.live_since, failed.restorable) == ("failed", "unhealthy", None, False)


def test_without_the_ledger_the_bucket_still_tells(pipeline: SeenPipeline) -> None:
    first = pipeline.drop()
    pipeline.go_live(first)
    told = releases(Services.of(BUCKET, {}), SHOP)
    assert [(it.id, it.live, it.outcome, it.restorable) for it in told.listed] == [(first, True, None, None)]
    assert "AUTO_LAMBDA_TABLE is not set" in str(told.unknown[0])


def test_a_ledger_that_does_not_exist_leaves_the_rest(pipeline: SeenPipeline) -> None:
    pipeline.drop()
    told = releases(Services.of(BUCKET, {"AUTO_LAMBDA_TABLE": "nothere"}), SHOP)
    assert (len(told.listed), told.unknown[0].part) == (1, "history")


def test_the_first_characters_name_a_release(pipeline: SeenPipeline, services: Services) -> None:
    first, second = pipeline.drop(), pipeline.drop()
    for version in (first, second):
        assert release_id(services, SHOP, version) == version
        assert release_id(services, SHOP, version[:8]) == version


@pytest.mark.parametrize("given", ["", "abc", "zzzzzzzz"])
def test_what_names_no_release_is_refused(pipeline: SeenPipeline, services: Services, given: str) -> None:
    pipeline.drop()
    with pytest.raises(NoSuchRelease, match="shop"):
        release_id(services, SHOP, given)


def test_what_names_several_lists_them(
    pipeline: SeenPipeline, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    from seen_pipeline import NOON

    from auto_lambda.aws.s3 import ObjectVersion

    both = ["abcd1", "abcd2"]
    monkeypatch.setattr(services.store, "versions", lambda *_: (ObjectVersion(it, 1, NOON) for it in both))
    with pytest.raises(NoSuchRelease, match="abcd1, abcd2"):
        release_id(services, SHOP, "abcd")
    assert release_id(services, SHOP, "abcd1") == "abcd1"


@given(st.lists(st.text("ab1", min_size=8, max_size=12), unique=True))
def test_short_ids_are_as_different_as_the_whole_ones(ids: list[str]) -> None:
    short = [it.short for it in shortened([ListedRelease(one, "") for one in ids])]
    assert len(set(short)) == len(ids)
    assert all(one.startswith(it) for one, it in zip(ids, short, strict=True))

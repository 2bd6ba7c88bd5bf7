"""``auto-lambda traffic``, and `rollback` and `status`, while the traffic of an app shifts: orders are zips."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from commands import BUCKET, run
from seen_pipeline import NOON, SHOP, SeenPipeline

from auto_lambda.keys import AT_ONCE, ROLLBACK, YES

TRAFFIC = {
    "kind": "canary", "weight": 10, "since": NOON.isoformat(), "began": NOON.isoformat(), "percent": 10, "interval": 60,
}  # fmt: skip


@dataclass(frozen=True)
class Releases:
    """The versions of two zips."""

    live: str
    new: str


def shifting(pipeline: SeenPipeline, live: str, new: str, **traffic: Any) -> None:
    serving = {"url": "u", "function": "shop-dev", "version": "1", "upload": live, "before": None}
    upload = {"key": SHOP.key, "version": new}
    pipeline.tell(status="deploying", upload=upload, serving=serving, traffic={**TRAFFIC, **traffic})


@pytest.fixture
def releases(pipeline: SeenPipeline) -> Releases:
    """One that is live, and one that traffic shifts to."""
    live = pipeline.drop(body=b"live")
    pipeline.go_live(live)
    new = pipeline.drop(body=b"new")
    shifting(pipeline, live, new)
    return Releases(live, new)


def newest(pipeline: SeenPipeline) -> tuple[bytes, dict[str, str]]:
    answer = pipeline.s3.get_object(Bucket=BUCKET, Key=SHOP.key)
    return answer["Body"].read(), answer["Metadata"]


def test_promote_now_drops_the_same_zip_with_the_order(pipeline: SeenPipeline, releases: Releases) -> None:
    done = run("traffic", "promote-now", "shop", "--no-wait")
    assert (done.exit_code, newest(pipeline)) == (0, (b"new", {AT_ONCE: YES}))
    assert f"release {releases.new} gets all traffic now" in done.stderr


@pytest.mark.parametrize("command", [("traffic", "abort"), ("rollback",)])
def test_abort_and_rollback_drop_what_is_live(
    pipeline: SeenPipeline, releases: Releases, command: tuple[str, ...]
) -> None:
    done = run(*command, "shop", "--no-wait")
    assert (done.exit_code, newest(pipeline)) == (0, (b"live", {ROLLBACK: releases.live}))


def test_a_zip_that_was_promoted_at_once_leaves_no_order_to_other_stages(
    pipeline: SeenPipeline, releases: Releases
) -> None:
    run("traffic", "promote-now", "shop", "--no-wait")
    version = pipeline.s3.head_object(Bucket=BUCKET, Key=SHOP.key)["VersionId"]
    pipeline.go_live(version)
    assert run("promote", "shop", "--no-wait").exit_code == 0
    assert AT_ONCE not in pipeline.s3.head_object(Bucket=BUCKET, Key="apps/prod/shop.zip")["Metadata"]


@pytest.mark.parametrize("command", [("traffic", "abort"), ("rollback",)])
def test_what_was_promoted_at_once_goes_back_without_that_order(
    pipeline: SeenPipeline, releases: Releases, command: tuple[str, ...]
) -> None:
    """With it, the version that traffic shifts to would keep its share until all of that is done."""
    run("traffic", "promote-now", "shop", "--no-wait")
    promoted = pipeline.s3.head_object(Bucket=BUCKET, Key=SHOP.key)["VersionId"]
    pipeline.go_live(promoted)
    shifting(pipeline, promoted, pipeline.drop(body=b"newer"))
    done = run(*command, "shop", "--no-wait")
    assert (done.exit_code, newest(pipeline)) == (0, (b"new", {ROLLBACK: promoted}))


@pytest.mark.parametrize("command", ["promote-now", "abort"])
def test_an_order_takes_no_newer_zip_s_place(pipeline: SeenPipeline, releases: Releases, command: str) -> None:
    pipeline.drop(body=b"newer still")
    done = run("traffic", command, "shop", "--no-wait")
    assert (done.exit_code, newest(pipeline)) == (2, (b"newer still", {}))
    assert f"{SHOP.key} was dropped again and waits" in done.stderr
    assert f"auto-lambda rollback shop --to {releases.live}" in done.stderr


@pytest.mark.parametrize("command", ["promote-now", "abort"])
def test_where_nothing_shifts_nothing_is_dropped(pipeline: SeenPipeline, releases: Releases, command: str) -> None:
    for weight in (0, 100):
        shifting(pipeline, releases.live, releases.new, weight=weight)
        done = run("traffic", command, "shop", "--no-wait")
        assert (done.exit_code, "no traffic of dev/shop is shifting" in done.stderr) == (2, True)
    assert newest(pipeline) == (b"new", {})
    assert run("traffic", command, "unknown", "--no-wait").exit_code == 2


def test_a_newer_zip_that_waits_makes_a_rollback_unclear(pipeline: SeenPipeline, releases: Releases) -> None:
    pipeline.drop(body=b"newer still")
    done = run("rollback", "shop", "--no-wait")
    assert done.exit_code == 2
    assert f"To keep what is live: --to {releases.live}" in done.stderr


def test_status_says_how_far_it_is(pipeline: SeenPipeline, releases: Releases) -> None:
    done = run("status", "shop")
    assert "the new version has 10 % of the calls since 2026-01-02 12:00:00 UTC (canary, 10 % for 60 s)" in done.stdout

"""The apps of a pipeline, by stage."""

from __future__ import annotations

from typing import Any

import pytest
from commands import BUCKET
from seen_pipeline import SeenPipeline

from auto_lambda import drops
from auto_lambda.keys import App
from auto_lambda_cli.queries.apps import KnownReceipts, apps, names
from auto_lambda_cli.queries.services import Services

PROD = App("prod", "shop")


def test_apps_come_by_stage_each_with_its_status_and_url(pipeline: SeenPipeline, services: Services) -> None:
    pipeline.go_live(pipeline.drop(PROD), PROD)
    pipeline.drop(App("dev", "shop"))
    pipeline.drop(App("dev", "blog"))
    seen = apps(services)
    shown = {stage: [(it.name, it.status, it.url) for it in of_stage] for stage, of_stage in seen.by_stage.items()}
    assert shown == {
        "dev": [("blog", "queued", None), ("shop", "queued", None)],
        "prod": [("shop", "live", "https://shop.example/")],
    }
    assert [it.app for it in apps(services, "prod/").listed] == [PROD]


def test_a_key_that_names_no_app_is_listed_without_a_stage(pipeline: SeenPipeline, services: Services) -> None:
    pipeline.s3.put_object(Bucket=BUCKET, Key="apps/Not.Good.zip", Body=b"")
    (only,) = apps(services).by_stage[""]
    assert (only.app, only.name, only.status) == (None, "apps/Not.Good.zip", "queued")


def test_names_are_those_of_zips_and_each_comes_once(pipeline: SeenPipeline, services: Services) -> None:
    for app in (PROD, App("dev", "shop"), App("dev", "blog")):
        pipeline.drop(app)
    assert (names(services), names(services, "prod")) == (["blog", "shop"], ["shop"])


def test_a_receipt_is_read_again_only_if_it_has_changed(
    pipeline: SeenPipeline, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, real = list[str](), drops.read

    def counted(store: Any, bucket: str, key: str) -> Any:
        read.append(key)
        return real(store, bucket, key)

    monkeypatch.setattr(drops, "read", counted)
    known, other = KnownReceipts(), App("dev", "blog")
    for app in (PROD, other):
        pipeline.drop(app)
        pipeline.tell(app)

    def statuses() -> list[str]:
        return [it.status for it in apps(services, known=known).listed]

    assert statuses() == ["live", "live"]
    assert statuses() == ["live", "live"]
    assert sorted(read) == ["apps/dev/blog.zip", "apps/prod/shop.zip"]
    pipeline.tell(other, status="building")
    assert statuses() == ["building", "live"]
    assert len(read) == 3
    pipeline.s3.delete_object(Bucket=BUCKET, Key="apps/dev/blog.receipt.json")
    assert statuses() == ["queued", "live"]

"""``auto-lambda promote``: the same zip under another stage's key, and what it asks the worker for."""

from __future__ import annotations

import json

import pytest
from commands import BUCKET, run
from seen_pipeline import SHOP, SeenPipeline

from auto_lambda.keys import PROMOTION, ROLLBACK, App

PROD = App("prod", "shop")


@pytest.fixture
def live(pipeline: SeenPipeline) -> str:
    version = pipeline.drop(body=b"tested")
    pipeline.go_live(version)
    return version


def promoted(pipeline: SeenPipeline) -> tuple[bytes, dict[str, str]]:
    answer = pipeline.s3.get_object(Bucket=BUCKET, Key=PROD.key)
    return answer["Body"].read(), answer["Metadata"]


def test_what_is_live_is_copied_with_the_name_of_its_release(pipeline: SeenPipeline, live: str) -> None:
    pipeline.drop(body=b"newer, not live")
    done = run("promote", "shop", "--from", "dev", "--to", "prod", "--no-wait", "--json")
    assert done.exit_code == 0
    assert json.loads(done.stdout)["key"] == PROD.key
    assert promoted(pipeline) == (b"tested", {PROMOTION: f"dev@{live}"})


def test_what_a_rollback_made_live_asks_for_no_rollback_there(pipeline: SeenPipeline, live: str) -> None:
    copied = pipeline.s3.copy_object(
        Bucket=BUCKET, Key=SHOP.key, CopySource={"Bucket": BUCKET, "Key": SHOP.key, "VersionId": live},
        Metadata={ROLLBACK: live, "commit": "9f2c1a7b"}, MetadataDirective="REPLACE",
    )["VersionId"]  # fmt: skip
    pipeline.go_live(copied)
    assert run("promote", "shop", "--no-wait").exit_code == 0
    assert promoted(pipeline)[1] == {PROMOTION: f"dev@{copied}", "commit": "9f2c1a7b"}


def test_a_release_goes_by_its_first_characters(pipeline: SeenPipeline, live: str) -> None:
    pipeline.go_live(pipeline.drop(body=b"newer"))
    assert run("promote", "shop", "--release", live[:8], "--no-wait").exit_code == 0
    assert promoted(pipeline)[0] == b"tested"


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["shop", "--from", "dev", "--to", "dev"], 2, "nothing to promote"),
        (["shop", "--from", "qa"], 1, "there is no app qa/shop"),
        (["blog"], 1, "there is no app dev/blog"),
        (["shop", "--release", "nothere"], 2, "has no zip nothere"),
        (["shop", "--release", ""], 2, "too short"),
        (["shop", "--to", "Not A Stage"], 2, "Not A Stage"),
        (["shop", "--dry-run"], 0, "-> prod/shop"),
    ],
)
def test_otherwise_nothing_is_copied(
    pipeline: SeenPipeline, live: str, arguments: list[str], code: int, told: str
) -> None:
    done = run("promote", *arguments)
    assert done.exit_code == code
    assert told in done.stderr
    assert pipeline.s3.list_objects_v2(Bucket=BUCKET, Prefix="apps/prod/")["KeyCount"] == 0


def test_an_app_that_is_not_live_has_to_be_told_which_release(pipeline: SeenPipeline) -> None:
    pipeline.drop()
    done = run("promote", "shop")
    assert done.exit_code == 2
    assert "name a release" in done.stderr

from __future__ import annotations

import json
from typing import Any

import pytest
from commands import BUCKET
from console import ARTIFACTS, Page, PipelineParts
from drafts import resource
from seen_pipeline import SHOP, SeenPipeline

from auto_lambda.keys import App
from auto_lambda.model import Proof
from worker.consumer.messages import parse_message
from worker.model import Release
from worker.records.ledger import FailedUpload, put_failed


@pytest.fixture
def twice_live(pipeline: SeenPipeline) -> tuple[str, str]:
    """An app of which a second release is live."""
    first, second = pipeline.drop(body=b"first"), pipeline.drop(body=b"second")
    pipeline.go_live(first)
    pipeline.go_live(second, before=first)
    return first, second


def newest(pipeline: SeenPipeline, app: App = SHOP) -> Any:
    return pipeline.s3.get_object(Bucket=BUCKET, Key=app.key)


def test_a_rollback_drops_the_release_before(page: Page, pipeline: SeenPipeline, twice_live: tuple[str, str]) -> None:
    answer = page.post("api/apps/dev/shop/rollback", {"to": None})
    assert answer.status == 202
    dropped = newest(pipeline)
    assert dropped["Body"].read() == b"first"
    assert dropped["Metadata"]["auto-lambda-rollback"] == twice_live[0]
    assert answer.json["drop"]["release"] == dropped["VersionId"]
    assert answer.json["drop"]["app"] == {"stage": "dev", "name": "shop"}


def test_a_release_is_named_by_its_first_characters(
    page: Page, pipeline: SeenPipeline, twice_live: tuple[str, str]
) -> None:
    page.post("api/apps/dev/shop/rollback", {"to": twice_live[1][:12]})
    assert newest(pipeline)["Metadata"]["auto-lambda-rollback"] == twice_live[1]


def test_a_release_that_is_not_there_is_not_rolled_back_to(page: Page, twice_live: tuple[str, str]) -> None:
    answer = page.post("api/apps/dev/shop/rollback", {"to": "nothing-like-it"})
    assert (answer.status, answer.error["code"]) == (404, "no-such-release")


def test_nothing_is_rolled_back_where_nothing_was_live_before(page: Page, pipeline: SeenPipeline) -> None:
    pipeline.go_live(pipeline.drop())
    answer = page.post("api/apps/dev/shop/rollback")
    assert (answer.status, answer.error["code"]) == (409, "nothing")
    assert "--to" not in answer.error["message"] + answer.error["hint"]


def test_a_rollback_while_a_zip_waits_asks_which_is_meant(page: Page, pipeline: SeenPipeline) -> None:
    pipeline.go_live(pipeline.drop())
    pipeline.drop()
    answer = page.post("api/apps/dev/shop/rollback")
    assert (answer.status, answer.error["code"]) == (409, "nothing")
    assert "waits" in answer.error["message"]


def test_what_is_live_is_promoted(page: Page, pipeline: SeenPipeline, twice_live: tuple[str, str]) -> None:
    answer = page.post("api/apps/dev/shop/promote", {"to": "prod"})
    assert answer.status == 202
    assert answer.json["drop"]["app"] == {"stage": "prod", "name": "shop"}
    dropped = newest(pipeline, App("prod", "shop"))
    assert dropped["Metadata"]["auto-lambda-promotion"] == f"dev@{twice_live[1]}"


@pytest.mark.parametrize(("body", "status", "code"), [
    ({"to": "dev"}, 409, "nothing"), ({"to": "Prod!"}, 400, "bad-name"), ({}, 400, "bad-name"),
    ({"to": 7}, 400, "bad-request"), ({"to": "prod", "release": "nothing-like-it"}, 404, "no-such-release"),
])  # fmt: skip
def test_what_cannot_be_promoted_is_not(
    page: Page, twice_live: tuple[str, str], body: dict[str, Any], status: int, code: str
) -> None:
    answer = page.post("api/apps/dev/shop/promote", body)
    assert (answer.status, answer.error["code"]) == (status, code)


def test_an_app_that_is_not_there_is_not_promoted(page: Page) -> None:
    answer = page.post("api/apps/dev/nothing/promote", {"to": "prod"})
    assert (answer.status, answer.error["code"]) == (404, "no-such-app")


def test_a_change_of_configuration_drops_what_is_live_again(
    page: Page, pipeline: SeenPipeline, twice_live: tuple[str, str]
) -> None:
    answer = page.post("api/apps/dev/shop/configuration", {"set": {"API_KEY": "hunter2-hunter2"}, "secret": True})
    assert answer.status == 202
    assert answer.json["drop"]["release"] == newest(pipeline)["VersionId"]
    listed = page.get("api/apps/dev/shop/configuration")
    assert [(it["name"], it["value"]) for it in listed.value("configuration")] == [("API_KEY", None)]
    pipeline.go_live(newest(pipeline)["VersionId"])
    page.post("api/apps/dev/shop/configuration", {"unset": ["API_KEY"]})
    assert page.get("api/apps/dev/shop/configuration").value("configuration") == []


def test_configuration_of_what_is_not_live_counts_later(page: Page) -> None:
    answer = page.post("api/apps/dev/shop/configuration", {"set": {"GREETING": "hello"}})
    assert (answer.status, answer.json) == (202, {"drop": None})


@pytest.mark.parametrize(("body", "code"), [
    ({}, "bad-request"), ({"set": {"A": 1}}, "bad-request"), ({"set": ["A"]}, "bad-request"),
    ({"unset": "A"}, "bad-request"), ({"set": {"A": "b"}, "secret": "yes"}, "bad-request"),
    ({"set": {f"A{number}": "b" for number in range(101)}}, "bad-request"),
    ({"set": {"AWS_REGION": "x"}}, "bad-configuration"), ({"set": {"A": ""}}, "bad-configuration"),
    ({"unset": ["NOT_THERE"]}, "bad-configuration"),
])  # fmt: skip
def test_what_is_no_configuration_changes_nothing(page: Page, body: dict[str, Any], code: str) -> None:
    answer = page.post("api/apps/dev/shop/configuration", body)
    assert (answer.status, answer.error["code"]) == (400, code)
    assert page.get("api/apps/dev/shop/configuration").value("configuration") == []


def test_configuration_is_not_changed_while_the_app_is_deployed(page: Page, pipeline: SeenPipeline) -> None:
    pipeline.drop()
    pipeline.tell(status="building")
    answer = page.post("api/apps/dev/shop/configuration", {"set": {"A": "b"}})
    assert (answer.status, answer.error["code"]) == (409, "under-way")


@pytest.mark.parametrize(("body", "headers"), [
    (b"{", {}), (b"[]", {}), (b"\xff", {}), (b"[" * 100_000, {}), (b"{}", {"Content-Type": "text/plain"}),
])  # fmt: skip
def test_a_body_that_is_no_object_is_refused(page: Page, body: bytes, headers: dict[str, str]) -> None:
    answer = page.post("api/apps/dev/shop/rollback", body, **headers)
    assert (answer.status, answer.error["code"]) == (400, "bad-request")


def test_a_body_without_end_is_refused(page: Page) -> None:
    answer = page.post("api/apps/dev/shop/rollback", b" " * 1_000_001)
    assert (answer.status, answer.error["code"]) == (413, "too-large")


def test_nothing_waits_for_an_approval(page: Page, parts: PipelineParts) -> None:
    assert page.get("api/apps/dev/shop/approval").value("approval") is None
    answer = page.post("api/apps/dev/shop/approve", {"digest": "x"})
    assert (answer.status, answer.error["code"]) == (409, "nothing")


def waits(parts: PipelineParts, action: str) -> None:
    """A release waits for the approval of this right."""
    statement = {"Effect": "Allow", "Action": action, "Resource": "arn:aws:s3:::pictures/*"}
    policies = [{"PolicyName": "it", "PolicyDocument": {"Statement": [statement]}}]
    template = {"Resources": {"Role": resource("IAM::Role", Policies=policies)}}
    parts.s3.put_object(Bucket=ARTIFACTS, Key="bundles/2.json", Body=json.dumps(template).encode())
    release = Release("bundles/2.json", "v2", "ab" * 32, 7, "zappa", "3.12", "x86_64", Proof(1, 2, 3))
    failed = FailedUpload(SHOP.key, "v2", None, "needs-approval", "2026-01-02T13:00:00", None, release.text())
    parts.table.write(put_failed(SHOP, failed))


def test_the_rights_that_were_shown_are_approved(page: Page, parts: PipelineParts) -> None:
    waits(parts, "s3:GetObject")
    shown = page.get("api/apps/dev/shop/approval").value("approval")
    assert shown["changes"] == ["+ Allow s3:GetObject on arn:aws:s3:::pictures/*"]
    answer = page.post("api/apps/dev/shop/approve", {"digest": shown["digest"]})
    assert answer.status == 202
    assert answer.json["approved"]["release"] == "v2"
    assert answer.json["approved"]["by"].startswith("arn:aws:sts::")
    (message,) = parts.received()
    assert parse_message(message["Body"], BUCKET).uploads[0].version == "v2"


def test_rights_that_were_not_shown_are_not_approved(page: Page, parts: PipelineParts) -> None:
    waits(parts, "s3:GetObject")
    shown = page.get("api/apps/dev/shop/approval").value("approval")
    waits(parts, "s3:*")
    for digest in (shown["digest"], None, ""):
        answer = page.post("api/apps/dev/shop/approve", {"digest": digest})
        assert (answer.status, answer.error["code"]) == (409, "changed")
    assert parts.received() == []

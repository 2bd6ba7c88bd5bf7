"""What messages say."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from messages_of_s3 import BUCKET, SHOP, body, record

from auto_lambda.model import Dropper
from worker.consumer.messages import parse_message, refuse_reserved
from worker.model import Upload


def eventbridge(kind: str = "Object Created", key: str = "apps/prod/shop.zip", **more: Any) -> str:
    return json.dumps({"detail-type": kind, "detail": {"bucket": {"name": BUCKET}, "object": {"key": key, **more}}})


def test_a_notification_of_s3_is_an_upload() -> None:
    parsed = parse_message(body(record(versionId="v1", sequencer="00AB", size=7)), BUCKET)
    assert parsed.uploads == (Upload(SHOP, BUCKET, "apps/prod/shop.zip", "v1", "00AB", 7),)
    assert parsed.unreadable is None


RESERVED = (
    "auto-lambda-artifacts-1-eu",
    "auto-lambda-core-Queue-X1",
    "auto-lambda-AlarmTopic-*",
    "ledger-main",
    "auto-lambda-worker-*",
    "auto-lambda-checker-*",
)


@pytest.mark.parametrize(
    "key",
    [
        "apps/lambda/auto.zip",
        "apps/artifacts/auto-lambda.zip",
        "apps/core/auto-lambda.zip",
        "apps/main/ledger.zip",
        "apps/worker/auto-lambda.zip",
        "apps/checker/auto-lambda.zip",
        "apps/eu-west-1/auto-lambda-worker.zip",
        "apps/lambda-worker/auto.zip",
    ],
)
def test_an_app_whose_names_would_hold_the_pipelines_is_invalid(key: str) -> None:
    parsed = refuse_reserved(parse_message(body(record(key, versionId="v1", size=7)), BUCKET), RESERVED)
    (invalid,) = parsed.invalid_keys
    assert (parsed.uploads, invalid.key, invalid.version, invalid.size) == ((), key, "v1", 7)
    assert "the pipeline's own names begin with" in invalid.reason
    removed = parse_message(body(record(key, event="ObjectRemoved:Delete")), BUCKET, removals=True)
    assert refuse_reserved(removed, RESERVED) == removed


@pytest.mark.parametrize(
    "key", ["apps/prod/shop.zip", "apps/lambdas/auto.zip", "apps/auto-lambda.zip", "apps/au/to.zip"]
)
def test_other_apps_are_not(key: str) -> None:
    parsed = parse_message(body(record(key)), BUCKET)
    assert refuse_reserved(parsed, RESERVED) == parsed


def test_version_and_sequencer_are_optional() -> None:
    (upload,) = parse_message(body(record()), BUCKET).uploads
    assert (upload.version, upload.sequencer, upload.size) == (None, None, None)


@pytest.mark.parametrize("version", ["null", "", None])
def test_the_version_of_an_unversioned_bucket_is_none(version: str | None) -> None:
    (upload,) = parse_message(body(record(versionId=version)), BUCKET).uploads
    assert upload.version is None


@pytest.mark.parametrize("key", ["apps%2Fprod%2Fshop.zip", "apps/prod/shop.zip"])
def test_keys_are_decoded_however_much_of_them_is_encoded(key: str) -> None:
    (upload,) = parse_message(body(record(key)), BUCKET).uploads
    assert upload.key == "apps/prod/shop.zip"


def test_spaces_accents_and_plus_signs_of_a_key_survive() -> None:
    (invalid_key,) = parse_message(body(record("apps/my+app+%2B1/caf%C3%A9.zip")), BUCKET).invalid_keys
    assert invalid_key.key == "apps/my app +1/café.zip"


def test_several_records_in_one_message_are_several_uploads() -> None:
    parsed = parse_message(body(record(), record("apps/blog.zip")), BUCKET)
    assert [str(upload.app) for upload in parsed.uploads] == ["prod/shop", "dev/blog"]


def test_multipart_completion_counts_as_created() -> None:
    assert parse_message(body(record(event="ObjectCreated:CompleteMultipartUpload")), BUCKET).uploads


def test_a_broken_record_does_not_take_the_others_down() -> None:
    parsed = parse_message(body(3, record()), BUCKET)
    assert len(parsed.uploads) == 1
    assert parsed.unreadable is None
    assert "record 0" in parsed.ignored[0]


def test_an_eventbridge_event_is_an_upload_and_its_key_is_not_encoded() -> None:
    more: dict[str, Any] = {"version-id": "v1", "sequencer": "00", "size": 1}
    assert parse_message(eventbridge(**more), BUCKET).uploads == (
        Upload(SHOP, BUCKET, "apps/prod/shop.zip", "v1", "00", 1),
    )
    (invalid_key,) = parse_message(eventbridge(key="apps/a+b.zip"), BUCKET).invalid_keys
    assert invalid_key.key == "apps/a+b.zip"


ANA = Dropper("AWS:AROA1:ana", "192.0.2.7")


def test_s3_says_who_dropped_it() -> None:
    told = {"userIdentity": {"principalId": ANA.principal}, "requestParameters": {"sourceIPAddress": ANA.address}}
    (upload,) = parse_message(body({**record(), **told}), BUCKET).uploads
    assert upload.by == ANA
    event = json.loads(eventbridge())
    event["detail"] |= {"requester": ANA.principal, "source-ip-address": ANA.address}
    (upload,) = parse_message(json.dumps(event), BUCKET).uploads
    assert upload.by == ANA


@pytest.mark.parametrize("told", [{}, {"userIdentity": 3}, {"userIdentity": {"principalId": {"a": 1}}}])
def test_an_upload_by_nobody_known_is_still_an_upload(told: dict[str, Any]) -> None:
    (upload,) = parse_message(body({**record(), **told}), BUCKET).uploads
    assert upload.by is None


@given(st.text(max_size=600), st.text(max_size=600))
def test_whoever_dropped_it_is_told_shortly_and_printably(principal: str, address: str) -> None:
    told = {"userIdentity": {"principalId": principal}, "requestParameters": {"sourceIPAddress": address}}
    (upload,) = parse_message(body({**record(), **told}), BUCKET).uploads
    text = str(upload.by)
    assert text.isprintable()
    assert len(text) <= 2 * 256 + len(" from ")


def test_a_notification_wrapped_by_sns_is_unwrapped() -> None:
    wrapped = json.dumps({"Type": "Notification", "MessageId": "1", "Message": body(record())})
    assert parse_message(wrapped, BUCKET).uploads[0].app == SHOP


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": BUCKET}), "test event"),
        (body(record(event="ObjectRemoved:Delete")), "ObjectRemoved"),
        (body(record(event="ObjectRestore:Completed")), "ObjectRestore"),
        (eventbridge("Object Deleted"), "Object Deleted"),
        (json.dumps({"Type": "SubscriptionConfirmation", "Message": "hello"}), "SubscriptionConfirmation"),
        (body(record("apps/prod/shop.receipt.json")), "no upload"),
        (body(record("apps/prod/")), "no upload"),
        (body(record("elsewhere/shop.zip")), "no upload"),
        (body(record("apps/" + "x" * 1015 + ".zip")), "no room"),
        (body(record()).replace(BUCKET, "foreign"), "not our bucket"),
    ],
)
def test_what_asks_nothing_of_us_is_ignored_with_a_reason(text: str, reason: str) -> None:
    parsed = parse_message(text, BUCKET)
    assert not parsed.uploads
    assert not parsed.invalid_keys
    assert parsed.unreadable is None
    assert reason in parsed.ignored[0]


@pytest.mark.parametrize("text", [body(), "{}", "[]", "null", "{", "", "[" * 100_000, body({"eventName": 1}), '"x"'])
def test_garbage_is_unreadable_or_empty(text: str) -> None:
    parsed = parse_message(text, BUCKET)
    assert not parsed.uploads
    assert bool(parsed.unreadable) != (text == body())


@pytest.mark.parametrize("key", ["apps/My App.zip", "apps/.zip", "apps/a/b/c.zip", "apps//a.zip", "apps/ümlaut.zip"])
def test_a_key_that_names_no_app_is_kept_to_be_told_to_its_uploader(key: str) -> None:
    (invalid_key,) = parse_message(eventbridge(key=key, **{"version-id": "v"}), BUCKET).invalid_keys
    assert (invalid_key.key, invalid_key.version) == (key, "v")
    assert invalid_key.reason


@pytest.mark.parametrize(
    "key", ["shop.zip", "prod/shop.zip", "apps/dev/shop.ZIP", "apps/dev/shop.tar.gz", "Apps/a.zip"]
)
def test_an_archive_that_looks_meant_as_an_app_is_kept_to_be_told_so(key: str) -> None:
    (invalid_key,) = parse_message(eventbridge(key=key), BUCKET).invalid_keys
    assert invalid_key.key == key
    removed = parse_message(eventbridge("Object Deleted", key=key), BUCKET, removals=True)
    assert (removed.uploads, removed.invalid_keys) == ((), ())
    assert removed.ignored


@pytest.mark.parametrize(
    "key", ["backups/2026/shop.zip", "shop.receipt.json", "apps/dev/shop.ZIP.receipt.json", "a.log"]
)
def test_other_peoples_archives_and_our_own_answers_are_ignored(key: str) -> None:
    parsed = parse_message(eventbridge(key=key), BUCKET)
    assert (parsed.uploads, parsed.invalid_keys) == ((), ())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
SHAPED = st.fixed_dictionaries(
    {},
    optional={
        "Records": st.lists(
            st.fixed_dictionaries(
                {},
                optional={
                    "eventName": JSON | st.just("ObjectCreated:Put"),
                    "s3": JSON
                    | st.fixed_dictionaries(
                        {"bucket": JSON | st.just({"name": BUCKET})},
                        optional={"object": st.dictionaries(st.sampled_from(["key", "versionId", "size"]), JSON)},
                    ),
                },
            ),
            max_size=3,
        )
        | JSON,
        "detail-type": JSON | st.just("Object Created"),
        "detail": JSON,
        "Type": st.just("Notification") | JSON,
        "Message": JSON | JSON.map(json.dumps),
        "Event": JSON,
    },
)


@given(JSON | SHAPED)
def test_no_json_makes_reading_raise(data: Any) -> None:
    parse_message(json.dumps(data), BUCKET)


@given(st.text())
def test_no_text_makes_reading_raise(text: str) -> None:
    parse_message(text, BUCKET)


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=60))
def test_every_key_below_apps_is_an_upload_or_gets_an_answer(middle: str) -> None:
    parsed = parse_message(eventbridge(key=f"apps/{middle}.zip"), BUCKET)
    assert len(parsed.uploads) + len(parsed.invalid_keys) == 1


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (3, "eventName is missing"),
        ({}, "eventName is missing"),
        (record() | {"eventName": 7}, "eventName is no text"),
        ({"eventName": "ObjectCreated:Put", "s3": []}, "s3.bucket.name is missing"),
        (record(""), "s3.object.key is missing"),
        (record("apps/half-\ud800.zip"), "s3.object.key is no text"),
        (record(versionId=1), "s3.object.versionId is no text"),
        (record(sequencer=[]), "s3.object.sequencer is no text"),
        (record(size="large"), "s3.object.size is no number"),
        (record(size=True), "s3.object.size is no number"),
    ],
)
def test_a_record_that_lacks_what_it_has_to_say_is_told_by_the_field(broken: Any, said: str) -> None:
    assert parse_message(body(broken), BUCKET).unreadable == f"record 0: {said}"


def test_an_eventbridge_event_without_a_key_is_told_by_the_field() -> None:
    assert (
        parse_message(eventbridge(key=""), BUCKET).unreadable == "EventBridge's Object Created: object.key is missing"
    )

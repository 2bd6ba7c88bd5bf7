"""Events are small, keep their schema, and have ids that repeat exactly when the event does."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from event_bus import SCHEMA, checked
from hypothesis import given
from hypothesis import strategies as st

from auto_lambda.attempts import Attempt
from auto_lambda.aws.events import MOST_AT_ONCE
from auto_lambda.model import Commit, Dropper
from auto_lambda.receipts import Receipt, ReceiptError, Serving
from worker.records.event import DETAIL_TYPES, MAX_MESSAGE, event_of, refusal_of
from worker.records.event import SCHEMA as NUMBER

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
ATTEMPT = Attempt("apps/dev/shop.zip", "v1", "w", 1, NOON, NOON, NOON + timedelta(seconds=9), "failed")
LIMIT = 256 * 1024
"""Bytes of all events of one call, as EventBridge has it."""


def receipt(message: str = "no app", hint: str = "add one") -> Receipt:
    error = ReceiptError("no-framework", message, hint)
    return Receipt("apps/dev/shop.zip", "w", "shop", "dev", "failed", "build", "v1", error=error)


def test_the_schema_is_the_one_of_this_number_and_names_every_outcome() -> None:
    assert SCHEMA["properties"]["schema"] == {"const": NUMBER}
    assert set(SCHEMA["properties"]["outcome"]["enum"]) == set(DETAIL_TYPES)
    assert set(SCHEMA["required"]) == set(SCHEMA["properties"])


def test_the_same_attempt_has_the_same_id_and_another_one_another() -> None:
    first = event_of(receipt(), "drops", "failed", ATTEMPT, 7)
    assert event_of(receipt(), "drops", "failed", ATTEMPT, 7) == first
    others = {
        event_of(receipt(), "drops", "failed", ATTEMPT, 8).id,
        event_of(receipt(), "others", "failed", ATTEMPT, 7).id,
        refusal_of(receipt(), "drops", "m", NOON).id,
    }
    assert first.id not in others
    assert len(others) == 3


def test_without_a_version_the_message_tells_refusals_apart() -> None:
    nameless = Receipt("apps/Ü.zip", "w", status="failed", error=ReceiptError("bad-key", "no", "rename"))
    ids = [refusal_of(nameless, "drops", message, NOON).id for message in ("m1", "m1", "m2")]
    assert ids[0] == ids[1] != ids[2]


def test_a_long_error_is_cut_where_one_sees_it() -> None:
    detail = checked(event_of(receipt("x" * 50_000), "drops", "failed", ATTEMPT, 1).detail)
    assert len(detail["error"]["message"]) == MAX_MESSAGE
    assert detail["error"]["message"].endswith("x…")
    assert detail["error"]["hint"] == "add one"


@given(st.text(st.characters(exclude_categories=())), st.text(max_size=30))
def test_any_text_makes_an_event(message: str, hint: str) -> None:
    event = event_of(receipt(message, hint), "drops", "failed", ATTEMPT, 1)
    event.detail.encode()
    assert checked(event.detail)["app"] == "shop"


def test_as_many_as_are_sent_at_once_fit_into_one_call_at_their_longest() -> None:
    wide = "\U0001f600"
    longest = Receipt(
        key="apps/" + wide * 254 + ".zip", worker="w" * 64, app="a" * 40, stage="s" * 40, status="live", step="verify",
        object_version="v" * 1024, rollback="v" * 1024, sha256="ab" * 32, size=10**12, framework="chalice",
        python="3.14", architecture="x86_64", timings={f"step{number}": 900.123 for number in range(8)},
        url="https://" + "u" * 2000, function="f" * 140, version="9" * 20, alias="live",
        serving=Serving("https://" + "u" * 2000, "f" * 140, "9" * 20, "v" * 1024, "v" * 1024),
        error=ReceiptError("code", wide * 50_000, wide * 50_000), by=Dropper(wide * 256, wide * 256),
        commit=Commit("f" * 64, "r" * 256), warnings=(wide * 50_000,) * 50,
    )  # fmt: skip
    event = event_of(longest, "b" * 63, "live", ATTEMPT, 1)
    size = len(event.detail.encode()) + len(event.detail_type) + 100
    assert MOST_AT_ONCE * size < LIMIT
    assert json.loads(event.detail)["id"] == event.id

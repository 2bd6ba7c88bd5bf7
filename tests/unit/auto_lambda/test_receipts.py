"""The one schema of a receipt, written and read."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auto_lambda.model import Commit, Dropper, GuessedSettings, Proof
from auto_lambda.receipts import Cost, MalformedReceipt, Permissions, Receipt, ReceiptError, Serving, StandingCosts

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
WHOLE = Receipt(
    "apps/dev/shop.zip", "w", "shop", "dev", "live", "verify", "v2", "v1", "ab" * 32, 7, "zappa", "3.12", "arm64",
    "bubblewrap", {"fetch": 1.5}, Proof(312, 7000, 5000), "https://shop.example/", "shop-dev", "3", "live",
    Serving("https://shop.example/", "shop-dev", "3", "v2", "v0"), ReceiptError("unhealthy", "502", "mend it"),
    ("slow",), NOON, Dropper("AWS:AROA1:ana", "192.0.2.7"),
    Permissions("granted", ("Allow s3:GetObject on arn:a",), ("Allow s3:GetObject on arn:a",), ("Allow s3:* on *",)),
    commit=Commit("9f2c1a7b", "acme/shop"), retry_at=NOON,
    costs=StandingCosts("us-east-1, 2026-11", (Cost("App", "snap_start", 1.9771, "the snapshot of 512 MB"),)),
    settings=GuessedSettings("zappa_settings.json", "{}"),
    function_log=("asking", "KeyError: 'COLOR'"),
)  # fmt: skip


@pytest.mark.parametrize("receipt", [WHOLE, Receipt("apps/shop.zip", "w", updated=NOON)])
def test_what_is_written_is_read_as_it_was(receipt: Receipt) -> None:
    text = json.dumps(receipt.as_json())
    found = Receipt.from_text(text)
    assert found.stored == json.loads(text)
    assert {name: getattr(found, name) for name in Receipt.__slots__ if name != "stored"} == {
        name: getattr(receipt, name) for name in Receipt.__slots__ if name != "stored"
    }


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "null", b"\xff", "[" * 100_000])
def test_what_is_no_json_object_is_no_receipt(text: bytes | str) -> None:
    with pytest.raises(MalformedReceipt):
        Receipt.from_text(text)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@pytest.mark.parametrize("usd", [10**400, float("inf"), float("nan"), -1, True, "7", None])
def test_what_is_no_price_is_left_out(usd: Any) -> None:
    item = {"function": "App", "what": "keep_warm", "usd": usd, "how": ""}
    costs = Receipt.from_json({"costs": {"usd_per_month": 1, "prices": "p", "items": [item, 3]}}).costs
    assert costs is not None
    assert costs.items == ()


@given(st.dictionaries(st.sampled_from(sorted(WHOLE.as_json())), ANYTHING))
def test_fields_of_any_kind_are_read_as_far_as_they_make_sense(fields: dict[str, Any]) -> None:
    """Whoever may drop a zip may also write beside it, and another version of ours may have written it."""
    receipt = Receipt.from_json(fields)
    assert isinstance(receipt.name, str)
    json.dumps(receipt.as_json())


@pytest.mark.parametrize(
    ("status", "of", "number", "live"),
    [
        ("live", "v2", "2", True), ("failed", "v1", "1", True), ("building", "v1", "1", True),
        ("failed", None, "1", True),  # of a bucket without versions
        ("failed", "v2", "1", False),  # of a stack that an earlier pipeline has made
        ("failed", None, "$LATEST", False), ("failed", "v2", "$LATEST", False), ("failed", "v1", "$LATEST", False),
    ],
)  # fmt: skip
def test_what_a_failed_first_release_has_left_is_not_live(status: str, of: str | None, number: str, live: bool) -> None:
    serving = {"url": None, "function": "shop-dev", "version": number, "upload": of}
    receipt = Receipt.from_json({"status": status, "upload": {"version": "v2"}, "serving": serving})
    assert (receipt.live is not None) == live


def test_only_a_receipt_that_says_so_tells_of_a_removal() -> None:
    assert Receipt.from_json({"status": "superseded", "serving": None}).undeployed
    assert not Receipt.from_json({"status": "superseded"}).undeployed
    assert not Receipt.from_json({"status": "live", "serving": None}).undeployed

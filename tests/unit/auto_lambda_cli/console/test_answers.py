from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auto_lambda_cli.console.answers import to_json

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(ANYTHING)
def test_whatever_a_receipt_holds_a_browser_can_read_it(data: Any) -> None:
    def refuse(name: str) -> None:
        raise AssertionError(name)

    text = to_json(data)
    json.loads(text.encode("ascii"), parse_constant=refuse)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_a_number_that_json_does_not_have_is_unknown(number: float) -> None:
    assert json.loads(to_json({"a": [number, 1.5], "b": {"c": number}})) == {"a": [None, 1.5], "b": {"c": None}}


def test_half_a_character_is_sent_as_it_is() -> None:
    assert to_json("\ud800<script>") == '"\\ud800<script>"'

"""What no worker takes is refused by the builder, in the uploader's words."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from linear import assert_linear, repeated

from auto_lambda.errors import AppError, Code
from builder.protocol.channel import BadMessage, check_sendable
from builder.template_limits import MAX_RESOURCES, MAX_TEMPLATE_BYTES, check_limits
from worker.bundle.assemble import MAX_RESOURCES as WORKERS_RESOURCES
from worker.bundle.assemble import MAX_TEMPLATE_BYTES as WORKERS_BYTES

NESTED: dict[str, Any] = {}
for _ in range(70):
    NESTED = {"a": NESTED}


def refusal(template: dict[str, Any]) -> AppError:
    with pytest.raises(AppError) as caught:
        check_limits(template)
    return caught.value


@pytest.mark.parametrize(
    ("template", "code", "said"),
    [
        ({"Resources": {"A": "\ud800"}}, Code.BAD_CONFIG, "not valid Unicode"),
        ({"Resources": {"\udfff": "a"}}, Code.BAD_CONFIG, "not valid Unicode"),
        ({"Resources": {"A": float("inf")}}, Code.BAD_CONFIG, "infinite"),
        ({"Resources": {"A": "x" * MAX_TEMPLATE_BYTES}}, Code.TOO_MANY_RESOURCES, "1 resources in 1,0"),
        ({"Resources": {"A": "ü" * (MAX_TEMPLATE_BYTES // 2)}}, Code.TOO_MANY_RESOURCES, "1 resources in 1,0"),
        ({"Resources": {f"A{n}": {} for n in range(MAX_RESOURCES + 1)}}, Code.TOO_MANY_RESOURCES, "501 resources"),
        (NESTED, Code.TEMPLATE_REFUSED, "deeper than 60"),
    ],
)
def test_each_limit_has_its_code(template: dict[str, Any], code: Code, said: str) -> None:
    error = refusal(template)
    assert error.code is code
    assert said in error.message
    json.dumps(error.message, ensure_ascii=False).encode()


def test_the_limits_are_those_of_the_worker() -> None:
    assert (MAX_RESOURCES, MAX_TEMPLATE_BYTES) == (WORKERS_RESOURCES, WORKERS_BYTES)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters()), inner),
)


@given(st.dictionaries(st.text(st.characters()), ANYTHING))
def test_whatever_passes_can_be_sent(template: dict[str, Any]) -> None:
    try:
        check_limits(template)
    except AppError:
        return
    try:
        check_sendable({"event": "built", "template": template})
    except BadMessage as error:
        pytest.fail(str(error))


def test_it_takes_time_in_proportion() -> None:
    assert_linear(lambda text: check_limits({"Resources": {"A": text.split(",")}}), repeated("a,"))

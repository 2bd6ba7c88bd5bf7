from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.bundle.references import referenced, to_alias
from worker.deploy.gate.symbols import render, symbol

ALIASES = {"Api": "ApiLive", "Apis": "ApisLive"}
ARN = "arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function:"
LIVE = symbol("ApiLive")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ({"Ref": "Api"}, LIVE),
        ({"Fn::GetAtt": ["Api", "Arn"]}, LIVE),
        ({"Fn::GetAtt": "Api.Arn"}, LIVE),
        ({"Fn::Sub": "${Api.Arn}"}, LIVE),
        ({"Fn::Sub": "${Api}"}, LIVE),
        ({"Fn::Sub": f"x/{ARN}${{Api}}/invocations"}, f"x/{LIVE}/invocations"),
        ({"Fn::Sub": "arn:aws:lambda:eu-west-1:123456789012:function:${Api}"}, LIVE),
        ({"Fn::Sub": [f"{ARN}${{It}}/y", {"It": {"Ref": "Api"}}]}, f"{LIVE}/y"),
        ({"Fn::Sub": ["${It}/y", {"It": {"Fn::GetAtt": ["Api", "Arn"]}}]}, f"{LIVE}/y"),
        ({"Fn::Join": ["", ["a/", {"Fn::GetAtt": ["Api", "Arn"]}, "/b"]]}, f"a/{LIVE}/b"),
        ({"Fn::Join": [":", ["arn:aws:lambda:eu-west-1:123456789012:function", {"Ref": "Api"}]]}, LIVE),
        ({"Fn::Join": ["", ["${It}", {"Ref": "Api"}]]}, "${It}" + LIVE),
        ({"Fn::Sub": "${Apis.Arn} ${Api.Arn}"}, f"{symbol('ApisLive')} {LIVE}"),
        ({"Ref": "Other"}, symbol("Other")),
        ("${Api.Arn}", "${Api.Arn}"),
    ],
)
def test_each_form_means_the_alias(written: Any, meant: str) -> None:
    before = copy.deepcopy(written)
    assert render(to_alias(written, ALIASES)) == meant
    assert written == before


def test_deep_inside_a_document() -> None:
    body = {"paths": [{"uri": {"Fn::Sub": "f/${Api.Arn}/i"}, "other": 3}, None, {"Ref": "Api"}]}
    expected = {"paths": [{"uri": {"Fn::Sub": "f/${ApiLive}/i"}, "other": 3}, None, {"Ref": "ApiLive"}]}
    assert to_alias(body, ALIASES) == expected


parts = st.one_of(
    st.text("ab:/{}$", max_size=5),
    st.sampled_from(
        [{"Ref": "Table"}, {"Fn::GetAtt": ["Api", "Arn"]}, {"Fn::Sub": "${Apis.Arn}"}, {"Ref": "AWS::Region"}]
    ),
)


@given(st.lists(parts, min_size=1, max_size=6), st.sampled_from(["", ":", "/"]))
def test_a_join_means_the_same_but_for_the_alias(pieces: list[Any], between: str) -> None:
    written = {"Fn::Join": [between, pieces]}
    expected = render(written).replace(symbol("Api.Arn"), LIVE).replace(symbol("Apis.Arn"), symbol("ApisLive"))
    assert render(to_alias(written, ALIASES)) == expected


def test_referenced_finds_every_form() -> None:
    value = [
        {"Ref": "A"},
        {"x": {"Fn::Sub": ["${B.Arn} ${v} ${!C}", {"v": {"Ref": "D"}}]}},
        {"Fn::GetAtt": ["E", "Arn"]},
    ]
    assert list(referenced(value)) == ["A", "B", "D", "E"]

"""Resources that wait for each other in a circle, which CloudFormation refuses."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from linear import assert_linear, numbered, repeated

from auto_lambda.errors import AppError, Code
from auto_lambda.model import Template
from builder.lint.cycles import findings
from builder.lint.lint import lint


def template(**resources: dict[str, Any]) -> Template:
    return {"Resources": {name: {"Type": "AWS::SNS::Topic", **more} for name, more in resources.items()}}


def waits(value: Any) -> dict[str, Any]:
    return {"Properties": {"DisplayName": value}}


TO_B: dict[str, dict[str, Any]] = {
    "DependsOn": {"DependsOn": "B"},
    "a list of DependsOn": {"DependsOn": ["C", "B"]},
    "Ref": waits({"Ref": "B"}),
    "GetAtt": waits({"Fn::GetAtt": ["B", "TopicName"]}),
    "GetAtt as text": waits({"Fn::GetAtt": "B.TopicName"}),
    "Sub": waits({"Fn::Sub": "x-${B}"}),
    "Sub of an attribute": waits({"Fn::Sub": "${AWS::Region}-${B.TopicName}"}),
    "Sub with variables": waits({"Fn::Sub": ["${one}", {"one": {"Ref": "B"}}]}),
    "deep": waits([{"a": {"Fn::Join": ["", ["x", {"Ref": "B"}]]}}]),
}


@pytest.mark.parametrize("how", TO_B)
def test_a_circle_is_refused_with_its_members(how: str) -> None:
    with pytest.raises(AppError) as caught:
        lint(template(A=TO_B[how], B={"DependsOn": "A"}, C={}), {})
    assert caught.value.code is Code.BAD_CONFIG
    assert "waits for itself" in caught.value.message
    assert "A -> B -> A" in caught.value.message or "B -> A -> B" in caught.value.message


@pytest.mark.parametrize("one", [{"DependsOn": "A"}, {"DependsOn": ["A"]}, waits({"Ref": "A"})])
def test_a_resource_that_waits_for_itself_is_refused(one: dict[str, Any]) -> None:
    (found,) = findings(template(A=one))
    assert found.resource == "A"
    assert "A -> A" in found.reason


@pytest.mark.parametrize("how", TO_B)
def test_waiting_without_a_circle_is_fine(how: str) -> None:
    assert list(findings(template(A=TO_B[how], B={"DependsOn": "C"}, C={}))) == []


@pytest.mark.parametrize(
    "one",
    [
        waits({"Fn::Sub": "${!A}"}),
        waits({"Fn::Sub": ["${A}", {"A": "text"}]}),
        waits({"Ref": "AWS::Region"}),
        waits({"Ref": ["A"]}),
        waits("A"),
    ],
)
def test_what_only_looks_like_a_reference_is_none(one: dict[str, Any]) -> None:
    assert list(findings(template(A=one))) == []


def test_a_resource_that_does_not_exist_cannot_be_waited_for() -> None:
    (found,) = findings(template(A={"DependsOn": ["Nobody", "B"]}, B={}))
    assert (found.resource, found.path) == ("A", ("DependsOn",))
    assert "'Nobody'" in found.reason


NAMES = "ABCDEF"


@given(st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)), max_size=12))
def test_a_circle_is_found_exactly_where_there_is_no_order(edges: list[tuple[str, str]]) -> None:
    def reaches(start: str, end: str, seen: frozenset[str] = frozenset()) -> bool:
        return any(to == end or (to not in seen and reaches(to, end, seen | {to})) for one, to in edges if one == start)

    made = template(**{name: {"DependsOn": [to for one, to in edges if one == name]} for name in NAMES})
    assert bool(list(findings(made))) == any(reaches(name, name) for name in NAMES)


@pytest.mark.parametrize("closed", [True, False])
def test_a_long_chain_takes_time_in_proportion(closed: bool) -> None:
    def chained(text: str) -> None:
        names = text.split()
        rest = [names[0]] if closed else []
        ends = [*names[1:], *rest]
        made = {name: {"DependsOn": end} for name, end in zip(names, ends, strict=False)}
        found = list(findings(template(**made, **({} if closed else {names[-1]: {}}))))
        assert len(found) == closed
        assert all(len(one.reason) < 500 for one in found)

    assert_linear(chained, numbered("R{:08} "), 64 * 1024)


def test_texts_take_time_in_proportion() -> None:
    for part in ("${", "${A", "${A.", "${A}"):
        assert_linear(lambda text: list(findings(template(A=waits({"Fn::Sub": text})))), repeated(part))

from __future__ import annotations

from typing import Any

import pytest
from drafts import function, rest_template, role

from auto_lambda.errors import AppError, Code
from builder.protocol.template_shape import check_shape


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = {"x": [value]}
    return value


def with_function(**properties: Any) -> dict[str, Any]:
    return {"Resources": {"Api": function(**properties), "Role": role()}}


@pytest.mark.parametrize(
    "template",
    [
        [],
        {},
        {"Resources": {"Api": 3}},
        {"Resources": {"Api": {"Type": 3}}},
        {"Resources": {"Api": {"Type": "AWS::Lambda::Function", "Properties": []}}},
        {"Resources": {"Role": role()}},
        {"Resources": {"Api": function(), "a.b": role()}},
        {"Resources": {"Api": function(), "(a+)+": role()}},
        {"Resources": {"Api": {**function(), "DependsOn": [{"Ref": "x"}]}}},
        {"Resources": {"Api": {**function(), "Metadata": {"AutoLambda": {"ProvisionedConcurrency": "2"}}}}},
        {"Resources": {"Api": function()}, "Outputs": []},
        with_function(Environment={"Ref": "x"}),
        with_function(Environment={"Variables": {"A": 5}}),
        with_function(Layers={"Ref": "x"}),
        with_function(Tags=nested(5000)),
        {"Resources": {"Api": function(), "Lay": {"Type": "AWS::Lambda::LayerVersion", "Properties": {}}}},
    ],
)
def test_what_is_no_template_is_refused(template: Any) -> None:
    with pytest.raises(AppError) as caught:
        check_shape(template, "Api", ())
    assert caught.value.code is Code.TEMPLATE_REFUSED


def test_events_for_an_unknown_function() -> None:
    with pytest.raises(AppError, match="'Nobody' is not one of its functions"):
        check_shape(rest_template(), "Api", ("Nobody",))


def test_a_template_passes() -> None:
    check_shape(rest_template(), "Api", ("Api",))

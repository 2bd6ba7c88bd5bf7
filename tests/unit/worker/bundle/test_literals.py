"""A function is compared with what its template says in so many words, and with nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from worker.bundle.literals import agrees, differing

OTHERS = "arn:aws:lambda:eu-west-1:1:layer:extension:9"
TEMPLATE = {
    "Resources": {
        "Api": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "Handler": "app.handler",
                "MemorySize": "256",
                "Role": {"Fn::GetAtt": ["Role", "Arn"]},
                "Layers": [{"Ref": "Dependencies"}, OTHERS],
                "Environment": {"Variables": {"COLOR": "red", "TABLE": {"Ref": "Table"}}},
            },
        },
        "Dependencies": {"Type": "AWS::Lambda::LayerVersion", "Properties": {"LayerName": "al-shop-dev"}},
    }
}
HAS: dict[str, Any] = {
    "Handler": "app.handler",
    "MemorySize": 256,
    "Timeout": 3,
    "Role": "arn:role",
    "Layers": ["arn:aws:lambda:eu-west-1:2:layer:al-shop-dev:4", OTHERS],
    "Environment": {"Variables": {"COLOR": "red", "TABLE": "shop-table"}},
}


def variables(**told: str) -> dict[str, Any]:
    return {"Environment": {"Variables": told}}


def test_what_cloudformation_has_made_of_a_template_agrees() -> None:
    assert agrees(HAS, TEMPLATE, "Api")
    assert differing(HAS, TEMPLATE, "Api") == {}


def test_what_a_reference_stands_for_is_not_known() -> None:
    assert agrees({**HAS, "Role": "arn:other", **variables(COLOR="red", TABLE="other")}, TEMPLATE, "Api")


@pytest.mark.parametrize(
    ("has", "said"),
    [
        ({"Handler": "by.hand"}, {"Handler": "app.handler"}),
        ({"Timeout": 77}, {"Timeout": 3}),
        ({"MemorySize": 128}, {"MemorySize": "256"}),
        (variables(COLOR="blue", TABLE="x"), variables(COLOR="red", TABLE="x")),
        (variables(COLOR="red", TABLE="x", MORE="y"), variables(COLOR="red", TABLE="x")),
        (variables(COLOR="red"), variables(COLOR="red")),
    ],
    ids=str,
)
def test_what_was_changed_by_hand_differs(has: dict[str, Any], said: dict[str, Any]) -> None:
    assert not agrees({**HAS, **has}, TEMPLATE, "Api")
    assert differing({**HAS, **has}, TEMPLATE, "Api") == said


@pytest.mark.parametrize(
    "layers",
    [
        [],
        HAS["Layers"][:1],
        [*HAS["Layers"], OTHERS],
        ["arn:aws:lambda:eu-west-1:2:layer:by-hand:4", OTHERS],
        [HAS["Layers"][0], f"{OTHERS}1"],
    ],
    ids=str,
)
def test_layers_of_another_name_or_number_differ(layers: list[str]) -> None:
    assert not agrees({**HAS, "Layers": layers}, TEMPLATE, "Api")

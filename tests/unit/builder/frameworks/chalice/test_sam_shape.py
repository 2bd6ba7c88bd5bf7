"""What an app makes of its own template while it is imported: the uploader reads what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from auto_lambda.errors import AppError, Code
from builder.frameworks.chalice.sam_shape import check_sam
from builder.model import Draft

Compile = Callable[..., Draft]
QUEUE: dict[str, Any] = {"Type": "AWS::SQS::Queue", "Properties": {}}
SAM: dict[str, Any] = {
    "AWSTemplateFormatVersion": "2010-09-09", "Transform": "AWS::Serverless-2016-10-31", "Resources": {"Q": QUEUE},
}  # fmt: skip


def nested(levels: int) -> Any:
    value: Any = "a"
    for _ in range(levels):
        value = {"Fn::Join": ["", [value]]}
    return value


@pytest.mark.parametrize(
    "more",
    [{}, {"Metadata": {"x": 1}}, {"DependsOn": "A"}, {"DependsOn": ["A"]}, {"DeletionPolicy": "Retain"}],
)
def test_what_the_gate_judges_is_left_to_it(more: dict[str, Any]) -> None:
    check_sam({**SAM, "Resources": {"Q": {**QUEUE, **more}, "R": {"Type": "AWS::SQS::Queue", **more}}})


ATTRIBUTES: list[dict[str, Any]] = [
    {"Condition": "C"}, {"CreationPolicy": {}}, {"UpdatePolicy": {}}, {"Metadata": 1}, {"Colour": "red"},
    {"Properties": []}, {"DependsOn": {"Ref": "A"}}, {"Properties": {"QueueName": nested(400)}},
]  # fmt: skip


@pytest.mark.parametrize(
    "more",
    [
        *({"Resources": {"Q": {**QUEUE, **attributes}}} for attributes in ATTRIBUTES),
        {"AWSTemplateFormatVersion": "2011-01-01"}, {"AWSTemplateFormatVersion": 2010}, {"Transform": "AWS::Include"},
        {"Transform": ["AWS::Serverless-2016-10-31"]}, {"Conditions": {}}, {"Mappings": {}}, {"Globals": {}},
        {"Resources": []}, {"Resources": {"Q": "Q"}}, {"Resources": {"Q": {"Properties": {}}}},
        {"Resources": {"Q": {"Type": 1}}}, {"Outputs": {"o": "x"}}, {"Outputs": ["x"]},
    ],
)  # fmt: skip
def test_what_chalice_does_not_make_is_refused(more: dict[str, Any]) -> None:
    with pytest.raises(AppError) as raised:
        check_sam({**SAM, **more})
    assert raised.value.code == Code.TEMPLATE_REFUSED
    assert "its framework packages it" in raised.value.hint


def test_a_template_without_a_format_is_refused() -> None:
    with pytest.raises(AppError, match="AWSTemplateFormatVersion"):
        check_sam({name: value for name, value in SAM.items() if name != "AWSTemplateFormatVersion"})


# Runs after chalice has made its template, which is called `t`.
ALTERED = """
from chalice import Chalice
app = Chalice(app_name="altered")

@app.route("/")
def index():
    return {}

def alter(t):
    ALTERATION
    return t

import chalice.package as package
made = package.SAMTemplateGenerator.generate
for one in (package.SAMTemplateGenerator, *package.SAMTemplateGenerator.__subclasses__()):
    one.generate = lambda self, *args: alter(made(self, *args))
"""
NESTED = "x = 'a'\n    for _ in range(LEVELS): x = {'Fn::Join': ['', [x]]}\n    t['Resources']['Q'] = x"


@pytest.mark.parametrize(
    ("alteration", "code"),
    [
        ("t['AWSTemplateFormatVersion'] = '2011-01-01'", Code.TEMPLATE_REFUSED),
        ("t['Resources']['Q'] = {'Type': 'AWS::SQS::Queue', 'UpdatePolicy': {}}", Code.TEMPLATE_REFUSED),
        (NESTED.replace("LEVELS", "400"), Code.TEMPLATE_REFUSED),
        (NESTED.replace("LEVELS", "40000"), Code.TEMPLATE_REFUSED),
        ("t['Resources']['Q'] = 10**5000", Code.COMPILE_FAILED),
        ("t['Resources']['Q'] = object()", Code.COMPILE_FAILED),
        ("t['Resources']['Q'] = '\\ud800'", Code.BAD_CONFIG),
    ],
)
def test_an_app_that_alters_its_template_is_told(
    tmp_path: Path, compile_chalice: Compile, alteration: str, code: Code
) -> None:
    with pytest.raises(AppError) as raised:
        compile_chalice(tmp_path, {"app.py": ALTERED.replace("ALTERATION", alteration)})
    assert raised.value.code == code

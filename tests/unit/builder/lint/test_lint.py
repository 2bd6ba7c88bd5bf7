import pytest

from auto_lambda.errors import AppError, Code
from builder.lint.lint import lint


def test_each_value_is_named_in_the_words_of_the_framework() -> None:
    template = {
        "Resources": {
            "Api": {
                "Type": "AWS::Lambda::Function",
                "Properties": {"Role": {"Ref": "R"}, "MemorySize": 64, "Timeout": 0},
            },
            "Rule": {"Type": "AWS::Events::Rule", "Properties": {"ScheduleExpression": "rate(1 minutes)"}},
        }
    }
    names = {
        ("Lambda::Function", "MemorySize"): "memory_size",
        ("Events::Rule", "ScheduleExpression"): "events.expression",
    }
    with pytest.raises(AppError) as caught:
        lint(template, names)
    assert caught.value.code is Code.BAD_CONFIG
    assert caught.value.message.splitlines() == [
        "AWS would refuse what the app compiled to:",
        "memory_size (MemorySize of Api, AWS::Lambda::Function): 64 is less than the minimum of 128",
        "Timeout of Api, AWS::Lambda::Function: 0 is less than the minimum of 1",
        "events.expression (ScheduleExpression of Rule, AWS::Events::Rule): 'rate(1 minutes)' is not a schedule: "
        "it is rate(1 minute)",
    ]


def test_a_long_list_is_cut() -> None:
    template = {
        "Resources": {
            f"F{n}": {"Type": "AWS::Lambda::Function", "Properties": {"Role": {"Ref": "R"}, "Timeout": 0}}
            for n in range(25)
        }
    }
    with pytest.raises(AppError) as caught:
        lint(template, {})
    assert caught.value.message.endswith("and 15 more")

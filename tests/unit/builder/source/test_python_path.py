from __future__ import annotations

import pytest

from builder.source.python_path import add_layer, with_layer


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("./chalicelib:./:$PYTHONPATH", "./chalicelib:./:/opt/python"),
        ("${PYTHONPATH}:src", "/opt/python:src"),
        ("src", "src:/opt/python"),
        ("$LAMBDA_TASK_ROOT/src:${LAMBDA_TASK_ROOT}", "/var/task/src:/var/task:/opt/python"),
        ("$LAMBDA_TASK_ROOTS/src", "$LAMBDA_TASK_ROOTS/src:/opt/python"),
        ("/opt/python:src", "/opt/python:src"),
    ],
)
def test_a_path_of_the_apps_own_leads_to_the_layer_too(value: str, expected: str) -> None:
    assert with_layer(value) == expected


def test_other_variables_and_values_that_only_cloudformation_knows_stay() -> None:
    variables = {"PATH": "src", "PYTHONPATH": {"Ref": "Path"}}

    assert add_layer(variables) == variables
    assert add_layer({"PYTHONPATH": "src"}) == {"PYTHONPATH": "src:/opt/python"}

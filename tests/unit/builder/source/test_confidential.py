from __future__ import annotations

import json
from pathlib import Path

import pytest

from auto_lambda.keys import App
from auto_lambda.model import FrameworkName
from builder.model import Options, Source
from builder.source.confidential import confidential_values

SECRET, OTHER = "correct-horse-battery", "s3cr3t-of-a-stage"
FUNCTIONS = {"f": {"environment_variables": {"B": OTHER}}}
CHALICE = {"environment_variables": {"A": SECRET}, "stages": {"dev": {"lambda_functions": FUNCTIONS}}}
ZAPPA = {"dev": {"environment_variables": {"A": SECRET, "N": 1}}, "prod": {"aws_environment_variables": {"B": OTHER}}}


@pytest.mark.parametrize(
    ("framework", "file", "settings"),
    [("chalice", ".chalice/config.json", CHALICE), ("zappa", "zappa_settings.json", ZAPPA)],
)
def test_values_of_variables_are_found_wherever_settings_have_them(
    tmp_path: Path, framework: FrameworkName, file: str, settings: object
) -> None:
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text(json.dumps(settings))
    options = Options(environment={"TOKEN": "of-the-options"})
    source = Source(App("dev", "a"), tmp_path, tmp_path, framework, "dev", "3.12", "x86_64", options)
    assert confidential_values(source) == {SECRET, OTHER, "of-the-options"}

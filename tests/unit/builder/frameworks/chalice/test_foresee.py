"""What is foreseen of an app by its settings is what chalice makes of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from building import make_source

from builder.frameworks.chalice.foresee import foreseen
from builder.proof.starts import foreseen_start, starts

APP = """
from chalice import Chalice
app = Chalice(app_name="hello")
@app.route("/")
def index():
    return {}
"""
VARIABLES = {"environment_variables": {"VAR_A": "1", "VAR_B": "1", "VAR_C": "1"}}
CONFIGS = {
    "nothing": {},
    "a stage that is not named": {"stages": {"prod": {"lambda_memory_size": 256}}},
    "levels": {
        **VARIABLES,
        "lambda_memory_size": 256,
        "lambda_functions": {"api_handler": {"lambda_memory_size": 300}},
        "stages": {
            "dev": {
                "lambda_memory_size": 512,
                "environment_variables": {"VAR_B": "2", "VAR_C": "2"},
                "lambda_functions": {"api_handler": {"environment_variables": {"VAR_C": "3"}}, "index": VARIABLES},
            }
        },
    },
    "memory of the handler": {
        "lambda_memory_size": 256,
        "stages": {"dev": {"lambda_functions": {"api_handler": {"lambda_memory_size": 1024}}}},
    },
}


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
@pytest.mark.parametrize("environment", [{}, {"VAR_B": "ours"}])
def test_it_starts_as_what_is_compiled(
    compile_chalice: Any, tmp_path: Path, config: dict[str, Any], environment: dict[str, str]
) -> None:
    files = {"app.py": APP, ".chalice/config.json": json.dumps({"version": "2.0", "app_name": "hello", **config})}
    draft = compile_chalice(tmp_path, files)
    found = foreseen(make_source(tmp_path / "app"))
    assert found
    compiled = starts(draft, environment, "eu-west-1")[0]
    ahead = foreseen_start(found, environment, "eu-west-1")
    assert (ahead.handler, ahead.environment) == (compiled.handler, compiled.environment)


def test_of_an_app_without_routes_nothing_is_foreseen(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP.replace('@app.route("/")', '@app.lambda_function(name="index")'))
    assert foreseen(make_source(tmp_path)) is None

from __future__ import annotations

import ast
import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.source.required_variables import is_plain_model, required, required_variables

NAMES = st.lists(st.from_regex(r"[A-Z]{3,8}", fullmatch=True), unique=True, max_size=8)


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("import os\na = os.environ['A']\nb = os.environ['B']", ["A", "B"]),
        ("from os import environ as e\na = e['A']", ["A"]),
        ("from environs import Env\nenv = Env()\na = env.str('A')\nb = env('B')", ["A", "B"]),
        ("from decouple import config\na = config('A', cast=int)", ["A"]),
        ("from starlette.config import Config\nc = Config(env_prefix='X_')\na = c('A')", ["X_A"]),
        (
            "from pydantic_settings import BaseSettings, SettingsConfigDict\nclass S(BaseSettings):\n"
            "    model_config = SettingsConfigDict(env_prefix='X_')\n    a: str\n    b: int = 1\ns = S()",
            ["X_A"],
        ),
        ("import os\na = os.environ.get('A')\nb = os.getenv('B')", []),
        ("import os\ndef f():\n    return os.environ['A']", []),
        ("import os\nif 'A' in os.environ:\n    a = os.environ['A']", []),
        ("import os\na = os.environ['A'] if 'A' in os.environ else 1", []),
        ("import os\ntry:\n    a = os.environ['A']\nexcept KeyError:\n    a = 1", []),
        ("from decouple import config\na = config('A', default=1)\nb = config('B', 2)", []),
        ("from environs import Env\nenv = Env()\na = env.str('A', 'x')", []),
        ("from pydantic_settings import BaseSettings\nclass S(BaseSettings):\n    a: str", []),
        ("from pydantic import BaseModel\nclass S(BaseModel):\n    a: str\ns = S()", []),
    ],
)
def test_variables_that_are_read_in_any_case_without_a_default(code: str, names: list[str]) -> None:
    assert list(required(ast.parse(textwrap.dedent(code)))) == names


@given(NAMES, NAMES)
def test_all_that_are_read_are_found_and_none_that_has_a_default(needed: list[str], optional: list[str]) -> None:
    lines = ["import os", *(f"x = os.environ[{one!r}]" for one in needed)]
    lines += [f"y = os.environ.get({one!r}, '')" for one in optional]
    assert list(required(ast.parse("\n".join(lines)))) == needed


def test_modules_that_are_imported_count_and_what_is_set_does_not(tmp_path: Path) -> None:
    app = tmp_path / "app.py"
    app.write_text("import os, conf\nos.environ['C'] = 'x'\na = os.environ['A']\nc = os.environ['C']\n")
    (tmp_path / "conf.py").write_text(
        "from decouple import config\nb = config('B')\nd = config('D')\ne = config('E')\n"
    )
    (tmp_path / ".env").write_text("D=1\n")
    assert required_variables(tmp_path, [app], {"E": ""}) == ["A", "B"]


@pytest.mark.parametrize(("base", "plain"), [("BaseModel", True), ("BaseSettings", False), ("Base", False)])
def test_only_a_class_of_the_app_that_is_certainly_a_model_is_none_of_settings(
    tmp_path: Path, base: str, plain: bool
) -> None:
    app = tmp_path / "app.py"
    app.write_text(f"class S({base}):\n    a: str\n")
    assert is_plain_model(tmp_path, [app], "S") is plain
    assert not is_plain_model(tmp_path, [app], "Other")

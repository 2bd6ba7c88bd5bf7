from __future__ import annotations

import ast
import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.source.variables.readers import read_module

NAMES = st.lists(st.from_regex(r"[A-Z]{3,8}", fullmatch=True), unique=True, max_size=8)


NEED = (
    "import os\ndef need(name):\n    value = os.environ.get(name)\n"
    "    if not value:\n        raise KeyError(name)\n    return value\n"
)
MODEL = "from pydantic_settings import BaseSettings, SettingsConfigDict\n"


@pytest.mark.parametrize(
    ("code", "names"),
    [
        (f"{NEED}a = need('A')\nb = need('B')", ["A", "B"]),
        ("import os\ndef need(name):\n    return os.environ['X_' + name]\na = need('A')", ["X_A"]),
        ("import os\ndef need(name):\n    return os.environ[f'X_{name}']\na = need('A')", ["X_A"]),
        ("import os\ndef want(name):\n    return os.environ.get(name)\na = want('A')", []),
        (
            "import os\ndef want(name):\n    try:\n        return os.environ[name]\n    except KeyError:\n"
            "        return None\na = want('A')",
            [],
        ),
        (
            "import os\na = int(os.getenv('A'))\nb = os.environ.get('B').split(',')\nc = 'x' + os.getenv('C')",
            ["A", "B", "C"],
        ),
        ("import os\na = int(os.getenv('A', '1'))\nb = (os.getenv('B') or '').split()", []),
        (
            "import os, sys\nx = os.getenv('A')\nif not x:\n    sys.exit('no')\nassert os.getenv('B')\n"
            "y = os.getenv('C')\nif y is None:\n    raise KeyError\nz = os.getenv('D')\nz = z or 1\nassert z",
            ["A", "B", "C"],
        ),
        ("import environ\nenv = environ.Env(D=(bool, False))\na = env('A')\nb = env.db('B')\nd = env('D')", ["A", "B"]),
        (
            "from dynaconf import Dynaconf, Validator\ns = Dynaconf(envvar_prefix='X', validators=[\n"
            "    Validator('A', 'b.c', must_exist=True), Validator('D', must_exist=True, default=1),\n"
            "    Validator('E', gt=1)])",
            ["X_A", "X_B__C"],
        ),
        (
            "from dynaconf import Dynaconf, Validator\ns = Dynaconf()\n"
            "s.validators.register(Validator('A', must_exist=True))",
            ["DYNACONF_A"],
        ),
        (f"{MODEL}class S(BaseSettings):\n    a: str\n    class Config:\n        env_prefix = 'X_'\ns = S()", ["X_A"]),
        (f"{MODEL}class S(BaseSettings):\n    model_config = {{'env_prefix': 'X_'}}\n    a: str\ns = S()", ["X_A"]),
        (
            f"{MODEL}class B(BaseSettings):\n    a: str\n    b: str\nclass S(B):\n"
            "    model_config = SettingsConfigDict(env_prefix='X_')\n    b: str = ''\n    c: int\ns = S()",
            ["X_A", "X_C"],
        ),
        (
            f"{MODEL}class S(BaseSettings):\n    a: str | None\n    b: str = Field(..., env='Y')\n"
            "    c: str = Field(1)\n"
            "    @property\n    def url(self): return ''\ns = S()",
            ["A", "Y"],
        ),
        (
            f"{MODEL}class S(BaseSettings):\n    a: str\n    @model_validator(mode='before')\n"
            "    def f(cls, v): return v\n"
            "s = S()",
            [],
        ),
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
    assert list(read_module(ast.parse(textwrap.dedent(code))).required) == names


@given(NAMES, NAMES)
def test_all_that_are_read_are_found_and_none_that_has_a_default(needed: list[str], optional: list[str]) -> None:
    lines = ["import os", *(f"x = os.environ[{one!r}]" for one in needed)]
    lines += [f"y = os.environ.get({one!r}, '')" for one in optional]
    assert list(read_module(ast.parse("\n".join(lines))).required) == needed

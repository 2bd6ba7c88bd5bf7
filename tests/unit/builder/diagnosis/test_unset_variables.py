"""Which variables an app failed without, and which it needs as well."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.diagnosis.unset_variables import FailedImport, said_by_libraries, unset_variables

MISSES = "1 validation error for S\ntoken\n  Field required [type=missing, input_value={}]\n"


@pytest.mark.parametrize(
    ("origin", "message", "names"),
    [
        (
            "pydantic_core",
            "2 validation errors for S\ndatabase_url\n  Field required [type=missing, input_value={}]\n"
            "    For further information\napi_key\n  Field required [type=missing, input_value={}]\n",
            ["DATABASE_URL", "API_KEY"],
        ),
        ("environs", 'Environment variable "DATABASE_URL" not set', ["DATABASE_URL"]),
        ("decouple", "TOKEN not found. Declare it as envvar or define a default value.", ["TOKEN"]),
        ("dynaconf", "TOKEN is required in env main", ["TOKEN"]),
        ("builtins", "\"Config 'TOKEN' is missing, and has no default.\"", ["TOKEN"]),
        ("pydantic_core", "1 validation error for S\nport\n  Input should be a valid integer", []),
    ],
)
def test_names_that_libraries_miss(origin: str, message: str, names: list[str]) -> None:
    assert said_by_libraries(message, [origin]) == names


def found(folder: Path, code: str, failure: FailedImport, given: tuple[str, ...] = ()) -> list[str]:
    app = folder / "app.py"
    app.write_text(code)
    return unset_variables(failure, folder, [app], given)


def test_variables_that_the_code_needs_as_well_follow_the_one_that_failed(tmp_path: Path) -> None:
    code = "import os\na = os.environ['API_TOKEN']\nb = os.environ['TOKEN']\nc = os.environ['SET']\n"
    failure = FailedImport("'TOKEN'", ["KeyError"], unset="TOKEN")
    assert found(tmp_path, code, failure, ("SET",)) == [
        "TOKEN",
        "API_TOKEN",
    ]


SETTINGS = "from pydantic_settings import BaseSettings\nclass S(BaseSettings):\n    token: str\n"


@pytest.mark.parametrize(
    ("code", "names"),
    [
        (f"{SETTINGS}    class Config:\n        env_prefix = 'APP_'\ns = S()\n", ["APP_TOKEN"]),
        (f"import os\n{SETTINGS}a = os.environ['API_TOKEN']\ns = S()\n", ["TOKEN", "API_TOKEN"]),
        ("from pydantic import BaseModel\nclass S(BaseModel):\n    token: str\ns = S()\n", []),
        ("import conf\n", ["TOKEN"]),
    ],
)
def test_fields_of_pydantic_settings_have_the_prefix_that_the_code_shows(
    tmp_path: Path, code: str, names: list[str]
) -> None:
    assert found(tmp_path, code, FailedImport(MISSES, ["ValidationError"], ["pydantic_core"])) == names


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("from dynaconf import *\n", ["DYNACONF_TOKEN"]),
        ("from dynaconf import Dynaconf, Validator\ns = Dynaconf(envvar_prefix='X',\n"
         "  validators=[Validator('TOKEN', 'KEY', must_exist=True)])\n", ["X_TOKEN", "X_KEY"]),
    ],
)  # fmt: skip
def test_names_of_dynaconf_have_its_prefix(tmp_path: Path, code: str, names: list[str]) -> None:
    assert found(tmp_path, code, FailedImport("TOKEN is required in env main", [], ["dynaconf"])) == names


NONE = "import os\nURL = os.getenv('DATABASE_URL')\nOTHER = os.getenv('OTHER')\nengine = create_engine(URL)\n"


@pytest.mark.parametrize(
    ("code", "message", "asked", "line", "names"),
    [
        ("", "the api_key option or the OPENAI_API_KEY environment variable", ["OPENAI_API_KEY"], 1,
         ["OPENAI_API_KEY"]),
        ("import os\nSECRET_KEY = os.environ.get('DJANGO_KEY')\n", "The SECRET_KEY setting must not be empty.",
         ["DJANGO_KEY", "HOME_PAGE"], 0, ["DJANGO_KEY"]),
        (NONE, "Expected string or URL object, got None", ["DATABASE_URL", "OTHER"], 4, ["DATABASE_URL"]),
        (NONE, "Expected string or URL object, got None", ["OTHER"], 4, []),
        (NONE, "port 70000 is too high", ["DATABASE_URL", "OTHER"], 4, []),
        (NONE, "got None", ["DATABASE_URL", "OTHER"], 9, []),
        ("import os\nT = table(os.environ.get('TABLE'))\nU = int(os.getenv('PORT'))\n",
         "Required parameter identifier not set", ["TABLE"], 2, ["TABLE", "PORT"]),
    ],
)  # fmt: skip
def test_what_was_asked_for_in_vain_is_missing_if_the_failure_speaks_of_it_or_its_line_uses_it(
    tmp_path: Path, code: str, message: str, asked: list[str], line: int, names: list[str]
) -> None:
    failure = FailedImport(message, ["ValueError"], ["builtins"], asked=asked, own=(tmp_path / "app.py", line))
    assert found(tmp_path, code, failure) == names


def test_a_refused_call_to_aws_is_none_for_want_of_a_variable(tmp_path: Path) -> None:
    failure = FailedImport(
        "credentials are required", ["NoCredentialsError"], ["botocore"], asked=["DATABASE_URL"],
        own=(tmp_path / "app.py", 4),
    )  # fmt: skip
    assert found(tmp_path, NONE, failure) == []

"""Zappa is imported in the compiler's own Python, where hooks of an app may run after that."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

import builder.frameworks.zappa
from auto_lambda.tools import ToolEnvironments

_INSIDE = Path(builder.frameworks.zappa.__file__).with_name("inside")
_START = "import sys; sys.path.insert(0, {!r}); import zappa_import; cli = zappa_import.import_zappa(hooks={}); "
_LIBRARIES = ("argcomplete", "boto3", "botocore.client", "botocore.session", "requests", "setuptools")


def run(code: str, *, hooks: bool = False) -> str:
    python = ToolEnvironments().python("compiler", "3.12")
    command = [python, "-I", "-B", "-c", f"{_START.format(str(_INSIDE), hooks)}{code}"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


def test_libraries_for_calls_are_not_loaded_with_zappa() -> None:
    assert run("print([name for name in [*zappa_import.LATER, 'urllib3'] if name in sys.modules])") == "[]"


@pytest.mark.parametrize("name", _LIBRARIES)
def test_a_hook_finds_the_library_itself(name: str) -> None:
    assert run(f"print(type(sys.modules[{name!r}]).__name__)", hooks=True) == "module"


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("print(cli.ZappaCLI.__module__)", "zappa.cli"),
        ("print(cli.botocore.client.Config(retries={}).retries)", "{}"),
        ("print(cli.botocore.session.Session().get_config_variable('profile'))", "None"),
        ("print(cli.requests.get.__module__)", "requests.api"),
        ("import zappa.core; print(zappa.core.find_packages('/nonexistent'))", "[]"),
        ("import zappa.core; print(zappa.core.boto3.Session(region_name='x').region_name)", "x"),
        ("import zappa.core as it; print(isinstance(it.boto3.Session(region_name='x'), it.boto3.Session))", "True"),
    ],
)
@pytest.mark.parametrize("hooks", [False, True])
def test_what_zappa_asks_of_a_library_is_its_own(code: str, told: str, hooks: bool) -> None:
    assert run(code, hooks=hooks) == told

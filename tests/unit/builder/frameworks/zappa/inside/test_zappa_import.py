"""Zappa is imported in the compiler's own Python, where hooks of an app may run after that."""

from __future__ import annotations

from pathlib import Path

import pytest
from compiler_python import run_after

import builder.frameworks.zappa

_SCRIPT = Path(builder.frameworks.zappa.__file__).with_name("inside") / "zappa_import.py"
_LIBRARIES = ("argcomplete", "boto3", "botocore.client", "botocore.session", "requests", "setuptools")


def run(code: str, *, hooks: bool = False) -> str:
    return run_after(_SCRIPT, f"cli = zappa_import.import_zappa(hooks={hooks}); {code}")


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

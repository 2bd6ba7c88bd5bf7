from __future__ import annotations

import pytest

from auto_lambda.errors import AppError, Code
from builder.diagnosis.other_python import OtherPythonMayDo, lost_module_hint, mark


def error(message: str = "app.py cannot be imported") -> AppError:
    return AppError(Code.APP_DOES_NOT_IMPORT, message, hint="Do something.")


def may_do(message: str = "app.py cannot be imported", **details: object) -> bool:
    marked = mark(error(message), **details)  # type: ignore[arg-type]
    assert (marked.code, marked.message, marked.hint) == (Code.APP_DOES_NOT_IMPORT, message, "Do something.")
    return isinstance(marked, OtherPythonMayDo)


@pytest.mark.parametrize("missing", ["cgi", "imp", "distutils", "distutils.version", "asyncore", "telnetlib"])
def test_a_module_that_python_lost_is_found_on_an_older_one(missing: str) -> None:
    assert may_do(missing=missing)
    assert may_do(missing=missing, own=False)


@pytest.mark.parametrize("missing", ["requests", "cgi_tools", "shop.cgi"])
def test_any_other_missing_module_is_missing_everywhere(missing: str) -> None:
    assert not may_do(missing=missing)
    assert not may_do(missing=missing, own=False)


def test_a_failure_in_a_dependency_may_be_one_of_its_python() -> None:
    assert may_do(own=False)
    assert not may_do(own=True)
    assert not may_do(own=False, known=True)


@pytest.mark.parametrize(
    "message",
    [
        "AttributeError: module 'inspect' has no attribute 'getargspec'",
        "ImportError: cannot import name 'Mapping' from 'collections' (/usr/lib/python3.12/collections/__init__.py)",
        "ImportError: /opt/python/psycopg2/_psycopg.so: undefined symbol: _PyInterpreterState_Get",
    ],
)
def test_what_python_itself_no_longer_offers(message: str) -> None:
    assert may_do(message, own=True)


@pytest.mark.parametrize(
    "message", ["AttributeError: module 'shop' has no attribute 'cart'", "undefined symbol: jpeg_start", "'" * 5000]
)
def test_what_has_nothing_to_do_with_python(message: str) -> None:
    assert not may_do(message, own=True)


def test_the_hint_names_the_last_python_that_had_it() -> None:
    assert 'python = "3.12" into auto-lambda.toml' in (lost_module_hint("cgi") or "")
    assert 'python = "3.11" into auto-lambda.toml' in (lost_module_hint("distutils.version") or "")
    assert lost_module_hint("requests") is None

from __future__ import annotations

import pytest
from linear import assert_linear, repeated

from auto_lambda.errors import AppError, Code
from builder.diagnosis.other_python import OtherPythonMayDo, culprit_of, import_hint, mark, on_all


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
        "AttributeError: module 'configparser' has no attribute 'SafeConfigParser'",
        "ImportError: cannot import name 'findCaller' from 'logging' (/usr/lib/python3.12/logging/__init__.py)",
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


@pytest.mark.parametrize(
    "message",
    [
        "ImportError: cannot import name 'Mapping' from 'collections' (/usr/lib/python3.12/collections/__init__.py)",
        "AttributeError: module 'collections' has no attribute 'Callable'",
        "AttributeError: module 'inspect' has no attribute 'getargspec'. Did you mean: 'getargs'?",
        "AttributeError: module 'time' has no attribute 'clock'",
    ],
)
def test_what_no_python_on_lambda_has_sends_nobody_to_another(message: str) -> None:
    assert not may_do(message, own=True)
    assert not may_do(message, own=False)
    assert "No Python that Lambda offers" in (import_hint(message, own=True) or "")


def test_the_modules_of_an_old_six_are_found_on_3_11() -> None:
    missing = "urllib3.packages.six.moves"
    assert may_do(missing=missing, own=False)
    hint = import_hint("", missing) or ""
    assert 'python = "3.11" into auto-lambda.toml' in hint
    assert "newer release of urllib3" in hint


def test_the_hint_names_the_last_python_that_had_it() -> None:
    assert 'python = "3.12" into auto-lambda.toml' in (import_hint("", "cgi") or "")
    assert 'python = "3.11" into auto-lambda.toml' in (import_hint("", "distutils.version") or "")
    assert "setuptools<81" in (import_hint("", "pkg_resources") or "")
    assert import_hint("", "requests") is None


MISMATCH = """Traceback (most recent call last):
  File "app.py", line 2, in <module>
    import eggs
  File "{folder}eggs/__init__.py", line 1, in <module>
    from ham.shank import bone
ImportError: cannot import name 'bone' from 'ham.shank' ({folder}ham/shank.py)
"""


@pytest.mark.parametrize("folder", ["", "/opt/python/"])
def test_two_packages_that_do_not_fit_each_other_are_named(folder: str) -> None:
    hint = import_hint(MISMATCH.format(folder=folder), own=False) or ""
    assert "eggs does not run with this release of ham: require an older ham" in hint


def test_the_apps_own_mistakes_have_no_such_hint() -> None:
    assert import_hint(MISMATCH.format(folder=""), own=True) is None
    assert import_hint("ValueError: no", own=False) is None


@pytest.mark.parametrize(
    ("frames", "culprit"),
    [
        (["app.py", "eggs/__init__.py"], "eggs"),
        (["/opt/python/eggs/a.py", "/opt/python/ham/b.py"], "ham"),
        (["eggs/a.py", "app.py"], None),
        ([], None),
    ],
)
def test_the_culprit_is_the_package_of_the_innermost_frame(frames: list[str], culprit: str | None) -> None:
    message = "".join(f'  File "{frame}", line 1, in x\n    y\n' for frame in frames)
    assert culprit_of(f"Traceback:\n{message}ValueError") == culprit


def test_an_app_that_runs_on_no_python_hears_of_all_and_is_sent_to_none_of_them() -> None:
    failures = [("3.13", error("x\nNo module named 'cgi'")), ("3.12", error(MISMATCH.format(folder="")))]
    found = on_all(failures)
    assert found.message == failures[0][1].message
    assert "3.13 (No module named 'cgi'), 3.12 (ImportError: cannot import name 'bone'" in (found.hint or "")
    assert "Take a newer release of eggs" in (found.hint or "")
    assert on_all(failures[:1]) is failures[0][1]


def test_what_fails_alike_on_every_python_has_nothing_to_do_with_it() -> None:
    places = ["/usr/lib/python3.13/x.py", "/usr/lib/python3.12/x.py"]
    failures = [("3.1", error(f"x\nImportError: cannot import name 'a' from 'b' ({place})")) for place in places]
    assert on_all(failures) is failures[0][1]


def test_what_no_python_can_cure_counts_before_what_another_could() -> None:
    missing = AppError(Code.MISSING_ENVIRONMENT, "TABLE", hint="Set it.")
    assert on_all([("3.13", error()), ("3.12", missing), ("3.11", error())]) is missing


def test_a_module_that_no_python_brings_along_is_told_before_those_that_an_older_one_has() -> None:
    lost = mark(error("x\nModuleNotFoundError: No module named 'cgi'"), missing="cgi")
    missing = mark(error("x\nModuleNotFoundError: No module named 'marshmallow'"), missing="marshmallow")
    assert on_all([("3.13", lost), ("3.12", missing)]) is missing


@pytest.mark.parametrize("part", ['  File "', "cannot import name '", "module '", "a", "'", "\n"])
def test_hostile_messages_take_linear_time(part: str) -> None:
    assert_linear(lambda text: import_hint(text, own=False), repeated(part))

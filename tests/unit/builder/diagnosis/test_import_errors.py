from __future__ import annotations

import errno

import pytest

from auto_lambda.errors import Code
from builder.diagnosis.import_errors import remedy, with_unset


def test_a_missing_variable_is_set_in_the_settings_and_a_secret_never_in_the_zip() -> None:
    found = remedy("'TOKEN'", types=["KeyError"], unset=["TOKEN", "KEY"])
    assert found is not None
    code, hint = found
    assert code is Code.MISSING_ENVIRONMENT
    assert "Set TOKEN, KEY under [environment]" in hint
    assert "Never put a secret into the zip" in hint
    assert "/auto-lambda/<stage>/<name>/" in hint


def test_all_variables_to_set_are_in_the_message_as_well() -> None:
    assert with_unset("it fails", ["A", "B"]) == "it fails\nNot set: A, B"
    assert with_unset("it fails", []) == "it fails"


MISSING = "libmagic.so.1: cannot open shared object file: No such file or directory"
TOO_NEW = "/lib64/libc.so.6: version `GLIBC_2.38' not found (required by /opt/python/x.so)"


@pytest.mark.parametrize(("message", "code"), [(MISSING, Code.MISSING_LIBRARY), (TOO_NEW, Code.GLIBC_TOO_NEW)])
@pytest.mark.parametrize("kind", ["ImportError", "OSError"])
def test_a_library_that_the_loader_misses(message: str, code: Code, kind: str) -> None:
    found = remedy(message, types=["RuntimeError", kind])
    assert found is not None
    assert found[0] is code


@pytest.mark.parametrize("message", [MISSING, TOO_NEW])
def test_an_exception_of_another_type_that_speaks_of_libraries_misses_none(message: str) -> None:
    assert remedy(message, types=["RuntimeError"]) is None


@pytest.mark.parametrize("number", [errno.EFBIG, errno.ENOSPC, errno.EDQUOT])
def test_a_file_that_grows_beyond_its_limit_is_too_much_disk(number: int) -> None:
    found = remedy("File too large", types=["OSError"], number=number)
    assert found is not None
    assert found[0] is Code.TOO_MUCH_DISK


@pytest.mark.parametrize(
    ("kind", "message"), [("TemplateNotFound", "index.html"), ("TemplateDoesNotExist", "index.html")]
)
def test_a_template_that_is_nowhere_belongs_into_the_zip(kind: str, message: str) -> None:
    found = remedy(message, types=[kind], origins=["jinja2"])
    assert found is not None
    assert found[1].startswith("The zip has no template index.html where the app looks for it: add it")


@pytest.mark.parametrize(
    ("file", "said"), [("/var/task/instance", 'instance_path="/tmp/instance"'), ("a.db", "a.db cannot be written")]
)
def test_what_is_written_beside_the_code_goes_to_tmp(file: str, said: str) -> None:
    found = remedy("Read-only file system", types=["OSError"], number=errno.EROFS, file=file)
    assert found is not None
    assert found[0] is Code.WRITES_TO_READ_ONLY
    assert said in found[1]

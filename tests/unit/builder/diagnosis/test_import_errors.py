from __future__ import annotations

import pytest

from auto_lambda.errors import Code
from builder.diagnosis.import_errors import remedy


def test_a_missing_variable_is_set_in_the_settings_and_a_secret_never_in_the_zip() -> None:
    found = remedy("'TOKEN'", types=["KeyError"], unset="TOKEN")
    assert found is not None
    code, hint = found
    assert code is Code.MISSING_ENVIRONMENT
    assert "Set TOKEN under [environment]" in hint
    assert "Never put a secret into the zip" in hint
    assert "/auto-lambda/<stage>/<name>/" in hint


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

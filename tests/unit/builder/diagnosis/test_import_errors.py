from __future__ import annotations

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

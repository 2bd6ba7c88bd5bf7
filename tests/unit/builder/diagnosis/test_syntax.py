"""Files that cannot be compiled."""

from __future__ import annotations

import pytest

from builder.diagnosis.syntax import syntax_error


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        ("x =\u00a01\n", "Replace non-breaking spaces (U+00A0) by plain ones in app.py"),
        ("x = \u201cshop\u201d\n", 'Replace typographic quotes (U+201C) by " in app.py'),
        ("x = 2 \u2013 1\n", "Replace dashes (U+2013) by - in app.py"),
        ("x = 2 \u20ac 1\n", "Replace characters (U+20AC) by what was meant in app.py"),
        ("x = (\n", "Correct it for Python 3.12"),
    ],
)
def test_characters_that_come_with_copied_code_are_named(code: str, hint: str) -> None:
    with pytest.raises(SyntaxError) as caught:
        compile(code, "app.py", "exec")
    error = syntax_error("app.py", 1, caught.value.msg, code, "3.12")
    assert (error.hint or "").startswith(hint)

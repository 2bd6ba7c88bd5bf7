"""What to require where modules are missing."""

from __future__ import annotations

import pytest

from builder.diagnosis.missing_modules import add_hint


@pytest.mark.parametrize(
    ("missing", "absent", "hint"),
    [
        (
            "requests",
            ["requests"],
            "Add the package that provides requests to requirements.txt, or put the module into lib/.",
        ),
        ("PIL", [], "Add the package that provides PIL (Pillow) to requirements.txt, or put the module into lib/."),
        (
            "google.cloud",
            [],
            "Add the package that provides google.cloud to requirements.txt, or put the module into lib/.",
        ),
        (
            "a",
            ["a", "yaml", "c"],
            "Add the packages that provide a, yaml (PyYAML) and c to requirements.txt, or put the modules into lib/.",
        ),
        ("a", ["mine", "cgi"], "Add the package that provides a to requirements.txt, or put the module into lib/."),
    ],
)
def test_all_that_is_missing_is_named_as_indexes_call_it(missing: str, absent: list[str], hint: str) -> None:
    assert add_hint(missing, absent, manifest="requirements.txt", place="lib/", own=["mine"]) == hint

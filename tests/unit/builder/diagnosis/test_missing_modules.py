"""What to require where modules are missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.diagnosis.missing_modules import add_hint, lost_submodule_hint


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


@pytest.mark.parametrize(
    ("missing", "culprit", "hint"),
    [
        ("spec.compat", "spec_web", "has no module spec.compat: require an older one in the app's requirements, or a "
         "newer one of spec_web."),
        ("spec.compat", None, "require an older one in the app's requirements, or correct the import."),
        ("spec", None, None), ("google.cloud", None, None), ("../spec.x", None, None),
    ],
)  # fmt: skip
def test_a_module_that_an_installed_package_does_not_have(
    tmp_path: Path, missing: str, culprit: str | None, hint: str | None
) -> None:
    (tmp_path / "spec").mkdir()
    (tmp_path / "spec" / "__init__.py").touch()
    (tmp_path / "google").mkdir()
    found = lost_submodule_hint(missing, tmp_path, culprit)
    assert (found is None) is (hint is None)
    assert found is None or found.endswith(hint or "")
    assert lost_submodule_hint(missing, None, culprit) is None

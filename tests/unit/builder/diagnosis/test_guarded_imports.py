"""Modules that code imports only where they are there, and then takes for granted."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.diagnosis.guarded_imports import absent_guarded_module

TRY = "try:\n    from jinja2 import Environment\nexcept ImportError:\n    pass\n"
NONE = "try:\n    import yaml as y\nexcept (ImportError, OSError):\n    y = None\n"
UNBOUND = "NameError: name 'Environment' is not defined. Did you mean: 'EnvironmentError'?"
IS_NONE = "AttributeError: 'NoneType' object has no attribute 'safe_load'"


@pytest.mark.parametrize(
    ("code", "message", "line", "module"),
    [
        (f"{TRY}class C:\n    e: Environment\n", UNBOUND, 6, "jinja2"),
        ("import contextlib\nwith contextlib.suppress(ImportError):\n    from jinja2 import Environment\n"
         "x = Environment()\n", UNBOUND, 4, "jinja2"),
        ("try:\n    from jinja2.ext import Environment\nexcept:\n    pass\nx = Environment()\n", UNBOUND, 5,
         "jinja2.ext"),
        (f"{NONE}x = y.safe_load('')\n", IS_NONE, 5, "yaml"),
        (f"{NONE}z = None\nx = z.safe_load('')\n", IS_NONE, 6, None),
        (TRY.replace("ImportError", "KeyError") + "x = Environment()\n", UNBOUND, 5, None),
        (TRY.replace("jinja2", "json") + "x = Environment()\n", UNBOUND, 5, None),
        (TRY.replace("jinja2", "there") + "x = Environment()\n", UNBOUND, 5, None),
        (TRY.replace("jinja2", ".near") + "x = Environment()\n", UNBOUND, 5, None),
        (f"{TRY}raise KeyError('Environment')\n", "KeyError: 'Environment'", 5, None),
        ("x = Environment()\n", UNBOUND, 1, None),
        ("x = (\n", UNBOUND, 1, None),
    ],
)  # fmt: skip
def test_the_module_behind_a_name_that_a_guarded_import_would_have_bound(
    tmp_path: Path, code: str, message: str, line: int, module: str | None
) -> None:
    (tmp_path / "there.py").write_text("")
    file = tmp_path / "app.py"
    file.write_text(code)
    assert absent_guarded_module(message, file, line, [tmp_path]) == module

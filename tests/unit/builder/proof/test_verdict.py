from __future__ import annotations

from pathlib import Path

import pytest

from auto_lambda.errors import Code
from builder.proof.starts import Start
from builder.proof.verdict import ExceptionReport, Result, failure

MISSES = "1 validation error for S\ntoken\n  Field required [type=missing, input_value={}]\n"
FRAME = 'Traceback:\n  File "/var/task/app.py", line 3, in <module>\n'


@pytest.mark.parametrize(
    ("base", "code"),
    [("BaseModel", Code.APP_DOES_NOT_IMPORT), ("BaseSettings", Code.MISSING_ENVIRONMENT)],
)
def test_only_fields_of_settings_are_variables(tmp_path: Path, base: str, code: Code) -> None:
    (tmp_path / "app.py").write_text(f"class S({base}):\n    token: str\ns = S()\n")
    assert failed(tmp_path, message=MISSES, origins=["pydantic_core"])[0] is code


def test_all_variables_are_named_the_one_that_failed_first(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("import os\nx = os.environ['SET']\na = os.environ['B']\nb = os.environ['A']\n")
    code, hint = failed(tmp_path, message="'B'", unset="B")
    assert code is Code.MISSING_ENVIRONMENT
    assert hint.startswith("Set B, A under")


def failed(code: Path, *, message: str, origins: list[str] | None = None, unset: str | None = None) -> tuple[Code, str]:
    start = Start("F", "app.f", {"SET": "1"}, 128, 3, None, {})
    problem = ExceptionReport(
        where="handler", type="E", message=message, traceback=FRAME, origins=origins or [], unset=unset
    )
    result = Result(ended="failed", init_ms=None, peak_mb=1, status=1, problem=problem)
    error = failure(start, result, "", {Path("/var/task"): ""}, "3.12", 10.0, code)
    return error.code, error.hint or ""

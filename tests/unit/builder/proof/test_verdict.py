from __future__ import annotations

from pathlib import Path

import pytest

from auto_lambda.errors import Code
from builder.proof.starts import Start
from builder.proof.verdict import ExceptionReport, Result, failure

MISSES = "1 validation error for S\ntoken\n  Field required [type=missing, input_value={}]\n"
FRAME = 'Traceback:\n  File "/var/task/app.py", line 3, in <module>\n'
START = Start("F", "app.f", {"SET": "1"}, 128, 3, None, {})


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


def test_a_dependency_whose_guarded_import_found_nothing_wants_that_module(tmp_path: Path) -> None:
    site = tmp_path / "site"
    (site / "served").mkdir(parents=True)
    (site / "served" / "page.py").write_text("try:\n    import nowhere\nexcept ImportError:\n    pass\nx = nowhere.x\n")
    problem = ExceptionReport(
        where="handler", type="NameError", message="name 'nowhere' is not defined", absent=["other"],
        traceback=f'{FRAME}  File "/opt/python/served/page.py", line 5, in <module>\n',
    )  # fmt: skip
    shown = {Path("/var/task"): "", Path("/opt/python"): "/opt/python/", site: "/opt/python/"}
    error = failure(START, failing(problem), "", shown, "3.12", 10.0, tmp_path)
    assert (error.hint or "").startswith("Add the packages that provide nowhere and other to the app's requirements")


def failing(problem: ExceptionReport) -> Result:
    return Result(ended="failed", init_ms=None, peak_mb=1, status=1, problem=problem)


def failed(code: Path, *, message: str, origins: list[str] | None = None, unset: str | None = None) -> tuple[Code, str]:
    problem = ExceptionReport(
        where="handler", type="E", message=message, traceback=FRAME, origins=origins or [], unset=unset
    )
    error = failure(START, failing(problem), "", {Path("/var/task"): ""}, "3.12", 10.0, code)
    return error.code, error.hint or ""

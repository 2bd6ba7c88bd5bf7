from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from auto_lambda.errors import Code
from builder.frameworks.chalice.early import file_problems

APP = "from chalice import Chalice\napp = Chalice(app_name='shop')\n@app.route('/')\ndef index(): ...\n"
POLICY = {"Version": "2012-10-17", "Statement": []}


def problems(root: Path, config: Mapping[str, Any], stage: str | None = "dev", **files: str) -> list[tuple[Code, str]]:
    for name, text in {"app": APP, **files}.items():
        path = root / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (root / ".chalice").mkdir(exist_ok=True)
    (root / ".chalice" / "config.json").write_text(json.dumps(config))
    return [(one.code, one.message) for one in file_problems(root, stage)]


def test_all_that_the_files_show_is_found_at_once(tmp_path: Path) -> None:
    config = {
        "version": "9",
        "stages": {"dev": {"autogen_policy": False, "api_gateway_policy_file": "api.json"}},
    }
    old = (
        "import chalicelib.old\nfrom chalice import Chalice\nx = Chalice(app_name='x')\n@x.route('/')\ndef index(): ..."
    )
    found = problems(tmp_path, config, app=old, **{"chalicelib/old": "print 'x'"})
    assert [code for code, _ in found] == [
        Code.UNSUPPORTED_SETTING, Code.MISSING_POLICY_FILE, Code.MISSING_POLICY_FILE, Code.SYNTAX_ERROR,
        Code.COMPILE_FAILED,
    ]  # fmt: skip
    told = "\n".join(message for _, message in found)
    for word in ("version", ".chalice/api.json", ".chalice/policy-dev.json", "chalicelib/old.py, line 1", "name `app`"):
        assert word in told


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"autogen_policy": True, "iam_policy_file": "nowhere.json"},
        {"autogen_policy": False, "iam_policy_file": "ours.json"},
        {"autogen_policy": False, "lambda_functions": {"index": {"autogen_policy": True}}},
        {"stages": {"prod": {"autogen_policy": False}}},
    ],
)
def test_what_may_be_right_is_no_problem(tmp_path: Path, config: Mapping[str, Any]) -> None:
    (tmp_path / ".chalice").mkdir()
    (tmp_path / ".chalice" / "ours.json").write_text(json.dumps(POLICY))
    assert problems(tmp_path, config, unused="print 'x'", **{"chalicelib/unused": "print 'x'"}) == []


@pytest.mark.parametrize(("text", "told"), [("{", "is not JSON"), ("[]", "no Statement"), ("{}", "no Statement")])
def test_a_policy_file_that_is_no_policy(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / ".chalice").mkdir()
    (tmp_path / ".chalice" / "policy-dev.json").write_text(text)
    ((code, message),) = problems(tmp_path, {"autogen_policy": False})
    assert code == Code.COMPILE_FAILED
    assert told in message


def test_without_a_stage_the_code_is_looked_at(tmp_path: Path) -> None:
    ((code, _),) = problems(tmp_path, {"autogen_policy": False}, stage=None, app="print 'x'")
    assert code == Code.SYNTAX_ERROR

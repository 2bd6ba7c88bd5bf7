"""The GitHub Action's steps, run as scripts with a command line that is played; tests/e2e drops for real."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from action import ACTION, Ended, run_action

SHA = "9f2c1a7b" * 5
GITHUB = {"sha": SHA, "repository": "acme/shop"}
LIVE = {"app": "shop", "stage": "dev", "status": "live", "url": "https://shop.example/", "version": "7", "error": None}
FAILED = {
    **LIVE, "status": "failed", "url": None, "version": None,
    "error": {"code": "bad-config", "message": "line 3:\n100%", "hint": "Mend it, please."},
}  # fmt: skip


@pytest.fixture
def said(tmp_path: Path) -> Path:
    """Where the command line that is played writes its arguments."""
    return tmp_path / "said"


def run(tmp_path: Path, said: Path, receipt: object, code: int = 0, **inputs: str) -> Ended:
    answer = tmp_path / "answer"
    answer.write_text(json.dumps(receipt) if receipt else "")
    command = tmp_path / "auto lambda"
    command.write_text(f"#!/bin/sh\nprintf '%s\\n' \"$@\" >'{said}'\ncat '{answer}'\nexit {code}\n")
    command.chmod(0o755)
    return run_action(tmp_path, {"bucket": "drops", "command": str(command), **inputs}, github=GITHUB)


def test_a_live_drop_ends_well_with_its_url(tmp_path: Path, said: Path) -> None:
    ended = run(tmp_path, said, LIVE)
    assert ended.code == 0
    receipt = Path(ended.outputs.pop("receipt"))
    assert ended.outputs == {"status": "live", "url": "https://shop.example/", "code": "", "version": "7"}
    assert json.loads(receipt.read_text()) == LIVE
    assert "dev/shop: live" in ended.summary
    assert "::error" not in ended.stdout


def test_a_failed_drop_fails_the_step_and_says_why(tmp_path: Path, said: Path) -> None:
    ended = run(tmp_path, said, FAILED, code=1)
    assert (ended.code, ended.outputs["status"], ended.outputs["code"]) == (1, "failed", "bad-config")
    assert "::error title=bad-config::line 3%3A%0A100%25 Mend it%2C please.\n" in ended.stdout
    assert "    100%\n" in ended.summary


@pytest.mark.parametrize("code", [2, 3])
def test_without_a_receipt_the_step_ends_as_the_command_did(tmp_path: Path, said: Path, code: int) -> None:
    ended = run(tmp_path, said, None, code=code)
    assert ended.code == code
    assert set(ended.outputs.values()) == {""}


def test_the_command_is_told_everything(tmp_path: Path, said: Path) -> None:
    run(
        tmp_path,
        said,
        LIVE,
        path="build/my shop.zip",
        name="shop",
        stage="prod",
        timeout="60",
        include="static\n\na b/*\n",
    )
    assert said.read_text().splitlines() == [
        "deploy", "--bucket", "drops", "--stage", "prod", "--timeout", "60", "--json", "--commit", SHA,
        "--repository", "acme/shop", "--name", "shop", "--include", "static", "--include", "a b/*", "--",
        "build/my shop.zip",
    ]  # fmt: skip


@pytest.mark.parametrize("name", sorted(set(ACTION["inputs"]) - {"command", "python"}))
def test_an_input_is_never_run(tmp_path: Path, said: Path, name: str) -> None:
    text = '$(touch run) "; touch run; `touch run`'
    run(tmp_path, said, LIVE, **{name: text})  # type: ignore[arg-type]
    assert not (tmp_path / "run").exists()
    assert text in said.read_text().splitlines()


@pytest.mark.parametrize("field", ["url", "version"])
def test_a_receipt_writes_no_outputs_of_its_own(tmp_path: Path, said: Path, field: str) -> None:
    receipt: dict[str, Any] = {**LIVE, field: "x\ncode=forged"}
    ended = run(tmp_path, said, receipt)
    assert ended.outputs["code"] == ""
    assert ended.outputs[field] == "x code=forged"


def test_what_it_installs_is_checked_by_its_hash_and_then_used(tmp_path: Path, said: Path) -> None:
    python = tmp_path / "python"
    pips = tmp_path / "pips"
    python.write_text(f"""#!/bin/sh
if [ "$2" = venv ]; then
    mkdir -p "$3/bin"
    printf '#!/bin/sh\\nshift 2; printf "%%s\\n" "$*" >>{pips}\\n' >"$3/bin/python"
    printf '#!/bin/sh\\nprintf "{{}}"\\n' >"$3/bin/auto-lambda"
    chmod +x "$3/bin/python" "$3/bin/auto-lambda"
fi
""")
    python.chmod(0o755)
    ended = run_action(tmp_path, {"bucket": "drops", "python": str(python)}, github=GITHUB, action_path=Path("/action"))
    assert ended.code == 0, ended.stderr
    quiet = "--quiet --disable-pip-version-check install"
    assert pips.read_text().splitlines() == [
        f"{quiet} --require-hashes --requirement /action/auto_lambda/locks/installation.txt "
        "--requirement /action/auto_lambda/locks/build.txt",
        f"{quiet} --no-deps --no-build-isolation /action",
    ]

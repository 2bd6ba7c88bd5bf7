"""The script of docs/how-to/ci.md, run with a command line that ends in each way."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from pipeline_template import REPOSITORY

from auto_lambda_cli.exits import Exit

PAGE = (REPOSITORY / "docs/how-to/ci.md").read_text()
(SCRIPT,) = re.findall(r"^```bash\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
LIVE = {"status": "live", "url": "https://shop.example/", "function": "shop-prod"}
FAILED = {"status": "failed", "error": {"code": "no-framework", "message": "no app was found", "hint": None}}
SUPERSEDED = {"status": "superseded", "error": None}

pytestmark = pytest.mark.skipif(not shutil.which("jq"), reason="the script uses jq")


def run(folder: Path, code: int, receipt: dict[str, Any] | None, **environment: str) -> tuple[int, str, list[str]]:
    """The exit code, what was printed, and the arguments of auto-lambda."""
    command = folder / "auto-lambda"
    printed = f"cat <<'END'\n{json.dumps(receipt)}\nEND\n" if receipt else ""
    command.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > arguments\n{printed}exit {code}\n')
    command.chmod(0o755)
    (folder / "deploy.sh").write_text(SCRIPT)
    done = subprocess.run(
        ["sh", "deploy.sh", "shop", "prod"],
        cwd=folder,
        env={"PATH": f"{folder}:{os.environ['PATH']}", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    return done.returncode, done.stdout.strip(), (folder / "arguments").read_text().split("\n")


@pytest.mark.parametrize(
    ("code", "receipt", "told"),
    [
        (Exit.OK, LIVE, "live: https://shop.example/"),
        (Exit.OK, {**LIVE, "url": None}, "live: shop-prod"),
        (Exit.FAILED, FAILED, "no-framework: no app was found"),
        (Exit.FAILED, SUPERSEDED, "superseded"),
        (Exit.USAGE, None, ""),
        (Exit.TIMED_OUT, None, "not finished yet; follow it with: auto-lambda logs shop --stage prod --follow"),
    ],
)
def test_the_script_ends_as_the_command_does(
    tmp_path: Path, code: int, receipt: dict[str, Any] | None, told: str
) -> None:
    assert run(tmp_path, code, receipt)[:2] == (code, told)


def test_it_tells_the_commit_if_it_knows_one(tmp_path: Path) -> None:
    with_commit = run(tmp_path, 0, LIVE, COMMIT="0a1b2c3d", REPOSITORY="payments/api")[2]
    assert with_commit[with_commit.index("--commit") + 1] == "0a1b2c3d"
    assert with_commit[with_commit.index("--repository") + 1] == "payments/api"
    assert "--commit" not in run(tmp_path, 0, LIVE)[2]


def test_the_gitlab_job_gives_what_the_script_uses() -> None:
    (text,) = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    job = yaml.safe_load(text)["deploy"]
    assert {"COMMIT", "REPOSITORY", "AWS_REGION", "AUTO_LAMBDA_UPLOADS_BUCKET"} <= job["variables"].keys()
    assert job["allow_failure"]["exit_codes"] == Exit.TIMED_OUT
    assert job["script"][-1].startswith("sh deploy.sh ")

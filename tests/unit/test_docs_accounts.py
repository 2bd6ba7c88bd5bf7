"""The script of docs/how-to/several-accounts.md promotes exactly the zip that is live, or nothing."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from pipeline_template import REPOSITORY

PAGE = (REPOSITORY / "docs/how-to/several-accounts.md").read_text()
(SCRIPT,) = re.findall(r"^```bash\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
ZIP = b"the zip that was tested"
AWS = """#!/bin/sh
echo "$AWS_PROFILE $*" >> calls
case "$1 $2" in
    "s3 cp") cat receipt.json ;;
    "s3api get-object") for last; do :; done; cp the.zip "$last" ;;
esac
"""
DEPLOY = """#!/bin/sh
echo "$AWS_PROFILE $*" >> calls
"""

pytestmark = pytest.mark.skipif(not shutil.which("jq"), reason="the script uses jq")


def promote(folder: Path, status: str, sha256: str) -> tuple[bool, list[str]]:
    """Whether the script succeeded, and which commands it gave."""
    receipt = {"app": "shop", "status": status, "upload": {"version": "v7", "sha256": sha256}}
    (folder / "receipt.json").write_text(json.dumps(receipt))
    (folder / "the.zip").write_bytes(ZIP)
    for name, text in (("aws", AWS), ("auto-lambda", DEPLOY)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    (folder / "promote.sh").write_text(SCRIPT)
    done = subprocess.run(
        ["sh", "promote.sh", "shop", "uploads-dev", "staging", "uploads-prod", "prod"],
        cwd=folder,
        env={"PATH": f"{folder}:{os.environ['PATH']}"},
        capture_output=True,
        check=False,
    )
    return done.returncode == 0, (folder / "calls").read_text().splitlines()


def test_the_version_that_is_live_is_deployed_in_the_other_account(tmp_path: Path) -> None:
    succeeded, calls = promote(tmp_path, "live", hashlib.sha256(ZIP).hexdigest())
    assert succeeded
    assert calls == [
        "dev s3 cp s3://uploads-dev/apps/staging/shop.receipt.json -",
        "dev s3api get-object --bucket uploads-dev --key apps/staging/shop.zip --version-id v7 shop.zip",
        "prod deploy shop.zip --name shop --stage prod --bucket uploads-prod",
    ]


@pytest.mark.parametrize(("status", "content"), [("failed", ZIP), ("building", ZIP), ("live", b"another zip")])
def test_nothing_is_deployed_of_another_zip_or_of_one_that_is_not_live(
    tmp_path: Path, status: str, content: bytes
) -> None:
    succeeded, calls = promote(tmp_path, status, hashlib.sha256(content).hexdigest())
    assert not succeeded
    assert not [call for call in calls if " deploy " in call]

"""The templates against checkov's checks: every finding is fixed, or explained in infra/policy-exceptions.yaml."""

from __future__ import annotations

import json
import os
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from pipeline_template import template_paths

from auto_lambda.tools import ToolEnvironments
from auto_lambda_cli.local_stack.embedded import preferred_minor
from auto_lambda_cli.sources import templates_folder

EXCEPTIONS = templates_folder() / "policy-exceptions.yaml"
# Its own rules, and no look at any network for more of them.
OPTIONS = ("--framework", "cloudformation", "--output", "json", "--quiet", "--compact", "--skip-download")


@cache
def report(*templates: Path) -> dict[str, Any]:
    python = ToolEnvironments().python("policy", preferred_minor())
    done = subprocess.run(
        [python, python.with_name("checkov"), "--file", *templates, *OPTIONS],
        capture_output=True, text=True, check=False, env={**os.environ, "LOG_LEVEL": "ERROR"},
    )  # fmt: skip
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def findings(*templates: Path) -> set[tuple[str, str]]:
    return {(check["check_id"], check["resource"]) for check in report(*templates)["results"]["failed_checks"]}


def exceptions() -> list[dict[str, str]]:
    found: list[dict[str, str]] = yaml.safe_load(EXCEPTIONS.read_text())
    return found


def test_every_finding_is_explained_and_every_explanation_is_needed() -> None:
    assert findings(*template_paths()) == {(entry["check"], entry["resource"]) for entry in exceptions()}


def test_all_templates_were_checked() -> None:
    summary = report(*template_paths())["summary"]
    assert summary["parsing_errors"] == 0
    assert summary["passed"] > 50


def test_every_exception_says_why() -> None:
    assert all(len(entry["why"]) > 20 for entry in exceptions())


def test_an_open_door_would_be_found(tmp_path: Path) -> None:
    worse = tmp_path / "core.yaml"
    worse.write_text(
        (templates_folder() / "core.yaml")
        .read_text()
        .replace("RestrictPublicBuckets: true", "RestrictPublicBuckets: false")
    )
    assert ("CKV_AWS_56", "AWS::S3::Bucket.UploadsBucket") in findings(worse)

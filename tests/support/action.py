"""Runs the steps of action.yml as GitHub's runner does, as far as the action uses it."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text())
_EXPRESSION = re.compile(r"\$\{\{ ([\w.]+) \}\}")


@dataclass
class Ended:
    """How the action ended: the failing step's exit code or 0, its outputs, and what was printed."""

    code: int = 0
    outputs: dict[str, str] = field(default_factory=dict)
    stdout: str = ""
    stderr: str = ""
    summary: str = ""


def run_action(
    folder: Path,
    inputs: Mapping[str, str],
    *,
    environ: Mapping[str, str] = os.environ,
    github: Mapping[str, str] | None = None,
    action_path: Path = ROOT,
    seconds: float = 150,
) -> Ended:
    """Run every step until one fails, in ``folder``, with these inputs and the others' defaults."""
    context = {f"github.{name}": value for name, value in (github or {}).items()}
    assert not inputs.keys() - ACTION["inputs"].keys()
    for name, declared in ACTION["inputs"].items():
        assert name in inputs or not declared.get("required"), name
        context[f"inputs.{name}"] = inputs.get(name, _resolved(str(declared.get("default", "")), context))
    ended = Ended()
    temp = folder / "runner"
    temp.mkdir()
    for step in ACTION["runs"]["steps"]:
        assert step["shell"] == "bash"
        assert "${{" not in step["run"], "an expression in a script is code of whoever sets it"
        files = {name: temp / f"{step['id']}.{name}" for name in ("output", "summary")}
        told = {
            "RUNNER_TEMP": str(temp), "GITHUB_ACTION_PATH": str(action_path), "GITHUB_OUTPUT": str(files["output"]),
            "GITHUB_STEP_SUMMARY": str(files["summary"]),
            **{name: _resolved(value, context) for name, value in step.get("env", {}).items()},
        }  # fmt: skip
        for file in files.values():
            file.touch()
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=folder, env={**environ, **told}, capture_output=True, text=True, timeout=seconds, check=False,
        )  # fmt: skip
        outputs = dict(line.split("=", 1) for line in files["output"].read_text().splitlines())
        context |= {f"steps.{step['id']}.outputs.{name}": value for name, value in outputs.items()}
        ended.stdout, ended.stderr = ended.stdout + done.stdout, ended.stderr + done.stderr
        ended.summary += files["summary"].read_text()
        ended.code = done.returncode
        if ended.code:
            break
    ended.outputs = {name: _resolved(it["value"], context) for name, it in ACTION["outputs"].items()}
    return ended


def _resolved(text: str, context: Mapping[str, str]) -> str:
    """Replace expressions; what there is not is empty, as on GitHub."""
    return _EXPRESSION.sub(lambda match: context.get(match[1], ""), text)

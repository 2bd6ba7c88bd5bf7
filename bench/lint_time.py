"""Measures how long a draft is looked at for what AWS would refuse: ``python bench/lint_time.py``."""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from drafts import Maker

from auto_lambda.model import Template
from builder.lint.lint import lint


def everything() -> Template:
    """A template with every kind of resource, without what only the worker may set."""
    with tempfile.TemporaryDirectory() as folder:
        template = Maker(Path(folder)).everything().template
    for resource in template["Resources"].values():
        resource.get("Properties", {}).get("Environment", {}).get("Variables", {}).pop("AUTO_LAMBDA_RELEASE", None)
    return template


def milliseconds(template: Template) -> float:
    began = time.perf_counter()
    lint(template, {})
    return (time.perf_counter() - began) * 1000


if __name__ == "__main__":
    draft = everything()
    first, later = milliseconds(draft), statistics.median(milliseconds(draft) for _ in range(100))
    print(f"{len(draft['Resources'])} resources: first {first:.1f} ms, then {later:.2f} ms")

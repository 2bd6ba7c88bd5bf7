"""The names of a pipeline, and of what it has in an account."""

from __future__ import annotations

import re

from auto_lambda.namespace import DEFAULT_PIPELINE
from auto_lambda_cli.pipeline.parts import CORE, ORDER

_LONGEST = 25  # a bucket's name has at most 63 characters: <pipeline>-artifacts-123456789012-ap-southeast-1
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


def problem(pipeline: str) -> str | None:
    """Say why a pipeline cannot have this name; None if it can."""
    if not _NAME.fullmatch(pipeline) or len(pipeline) > _LONGEST:
        return f"{pipeline}: use at most {_LONGEST} lower-case letters, digits and single hyphens, a letter first"
    if pipeline == "al" or pipeline.startswith("al-"):
        return f"{pipeline}: stacks whose names begin with al- are those of apps, which workers may change"
    if taken := next((part for part in ORDER if part != CORE and pipeline.endswith(f"-{part}")), None):
        shorter = pipeline.removesuffix(f"-{taken}")
        return f"{pipeline}: this is the name of a stack of the pipeline {shorter}"
    return None


def defaults(pipeline: str) -> dict[str, str]:
    """Return the parameters that keep a new pipeline apart from others in the same account and region."""
    if pipeline == DEFAULT_PIPELINE:
        return {}
    return {
        "LogPrefix": f"/auto-lambda/{pipeline}",
        "ImagePrefix": f"/auto-lambda/image/{pipeline}",
        "MetricsNamespace": f"AutoLambda/{pipeline}",
    }


def buckets(pipeline: str, account: str, region: str) -> tuple[str, str]:
    """Return the names of its uploads and artifacts buckets."""
    return f"{pipeline}-uploads-{account}-{region}", f"{pipeline}-artifacts-{account}-{region}"


def roles(pipeline: str, region: str) -> tuple[str, str]:
    """Return the names of its roles."""
    return f"{pipeline}-worker-{region}", f"{pipeline}-checker-{region}"


def groups(pipeline: str) -> tuple[str, str]:
    """Return the names of its Auto Scaling groups."""
    return f"{pipeline}-workers", f"{pipeline}-checker"

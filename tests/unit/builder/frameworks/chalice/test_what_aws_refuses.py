"""Apps that chalice packages without a word, and that AWS refuses once their stack is half made."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from auto_lambda.errors import AppError, Code
from builder.frameworks.chalice.settings import SETTING_NAMES
from builder.lint.lint import lint
from builder.model import Draft

ROUTE = "@app.route('/')\ndef index():\n    return {}\n"
NOTHING: dict[str, object] = {"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": ["logs:CreateLogStream", "logs:PutLogEvents"], "Resource": "*"},
]}  # fmt: skip


def event(decorator: str) -> str:
    return f"@app.{decorator}\ndef handler(event):\n    pass\n"


@pytest.mark.parametrize(
    ("code", "stage", "told"),
    [
        (ROUTE, {"lambda_memory_size": 64}, ["lambda_memory_size", "minimum of 128"]),
        (ROUTE, {"lambda_timeout": 901}, ["lambda_timeout", "maximum of 900"]),
        (ROUTE, {"api_gateway_stage": "my.stage"}, ["api_gateway_stage", "my.stage"]),
        (ROUTE, {"log_retention_in_days": 31}, ["log_retention_in_days", "31"]),
        (
            ROUTE,
            {"autogen_policy": False, "subnet_ids": ["subnet-0a1b2c3d"], "security_group_ids": ["sg-0a1b2c3d"]},
            ["subnet_ids", "ec2:CreateNetworkInterface"],
        ),
        (event("schedule('rate(1 minutes)')"), {}, ["@app.schedule", "it is rate(1 minute)"]),
        (event("schedule('cron(0 12 * * *)')"), {}, ["@app.schedule", "here are 5"]),
        (
            event("on_sqs_message(queue='orders.fifo')"),
            {"autogen_policy": False},
            ["iam_policy_file", "sqs:ReceiveMessage, sqs:DeleteMessage, sqs:GetQueueAttributes"],
        ),
    ],
)
def test_the_setting_is_named_before_anything_is_deployed(
    code: str, stage: dict[str, object], told: list[str], tmp_path: Path, compile_chalice: Callable[..., Draft]
) -> None:
    config = {"version": "2.0", "app_name": "x", "stages": {"dev": stage}}
    files = {
        "app.py": f"from chalice import Chalice\napp = Chalice('x')\n{code}",
        ".chalice/config.json": json.dumps(config),
        ".chalice/policy-dev.json": json.dumps(NOTHING),
    }
    draft = compile_chalice(tmp_path, files)
    with pytest.raises(AppError) as caught:
        lint(draft.template, SETTING_NAMES)
    assert caught.value.code is Code.BAD_CONFIG
    for word in told:
        assert word in caught.value.message

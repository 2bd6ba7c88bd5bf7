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


def test_all_values_that_aws_would_refuse_are_told_at_once(tmp_path: Path) -> None:
    config = {"version": "2.0", "lambda_memory_size": 64, "tags": {"team": "x" * 300}, "stages": {"dev": {
        "lambda_timeout": "901", "log_retention_in_days": 8, "api_gateway_stage": "my.stage", "layers": ["x", "x"],
        "reserved_concurrency": -1, "minimum_compression_size": 10_485_761, "subnet_ids": ["net"],
        "environment_variables": {"MY-VAR": "a", "AWS_REGION": "b", "OTHER-VAR": "c"},
        "lambda_functions": {"job": {"lambda_memory_size": 20_000}},
    }}}  # fmt: skip
    code = (
        "import chalicelib.jobs\nfrom chalice import Chalice, Cron, Rate\napp = Chalice('x')\n"
        "@app.schedule('rate(1 minutes)')\ndef one(event): ...\n"
        "@app.schedule(Cron(0, 12, '*', '*', '*', '*'))\ndef two(event): ...\n"
        "@app.schedule(expression=Rate(0, unit=Rate.MINUTES))\ndef three(event): ...\n"
        "@app.on_sqs_message(queue='orders', batch_size=100)\ndef four(event): ...\n"
        "@app.on_sqs_message(queue='orders.fifo', batch_size=11)\ndef five(event): ...\n"
        "@app.on_kinesis_record('clicks', starting_position='ENDING')\ndef six(event): ...\n"
    )
    jobs = "from chalice import Blueprint\nmore = Blueprint(__name__)\n@more.schedule('daily')\ndef job(event): ...\n"
    found = problems(tmp_path, config, app=code, **{"chalicelib/jobs": jobs, "chalicelib/__init__": ""})
    told = [message for _, message in found]
    for word in (
        "refuse lambda_memory_size in .chalice/config.json: 64", "stages.dev.lambda_timeout in .chalice/config.json: 9",
        "stages.dev.log_retention_in_days in .chalice/config.json: 8 is none of 1, 3, 5, 7,", "my.stage", "non-unique",
        "reserved_concurrency", "minimum_compression_size", '"net"', "'MY-VAR'", "'OTHER-VAR'", "AWS_REGION",
        "stages.dev.lambda_functions.job.lambda_memory_size in .chalice/config.json: 20000", "tags in ",
        "@app.schedule at app.py, line 4: 'rate(1 minutes)' is not a schedule: it is rate(1 minute)",
        "@app.schedule at app.py, line 6: 'cron(0 12 * * * *)'", "line 8: 'rate(0 minutes)'",
        "@app.on_sqs_message at app.py, line 10: 100 messages at once", "line 12: 11 messages at once, of which a FIFO",
        "@app.on_kinesis_record at app.py, line 14", "@more.schedule at chalicelib/jobs.py, line 3: 'daily'",
    ):  # fmt: skip
        assert sum(word in one for one in told) == 1, word
    assert {code for code, _ in found} == {Code.BAD_CONFIG}


def test_what_the_stage_replaces_is_not_looked_at(tmp_path: Path) -> None:
    config = {
        "lambda_memory_size": 64, "lambda_functions": {"job": {"lambda_timeout": 1000, "lambda_memory_size": 1}},
        "stages": {"dev": {"lambda_memory_size": "256", "lambda_functions": {"job": {"lambda_timeout": 900}}},
                   "prod": {"lambda_timeout": 0}},
    }  # fmt: skip
    assert problems(tmp_path, config) == []


@pytest.mark.parametrize(
    "decorator",
    [
        "@app.schedule('rate(5 minutes)')", "@app.schedule(Rate(1, unit=Rate.HOURS))", "@app.schedule(EVERY)",
        "@app.schedule(Cron(0, 12, '*', '*', '?', '*'))", "@app.schedule(Cron(*FIELDS))", "@app.schedule(**GIVEN)",
        "@app.schedule(f'rate({N} minutes)')", "@app.schedule(Rate(N, unit=Rate.DAYS))", "@app.schedule()",
        "@app.on_sqs_message(queue='a', batch_size=100, maximum_batching_window_in_seconds=1)",
        "@app.on_sqs_message(queue_arn='arn:aws:sqs:us-east-1:123456789012:a', batch_size=SIZE)",
        "@app.on_dynamodb_record(stream_arn='x', batch_size=1000)", "@app.on_kinesis_record('a', batch_size=1000)",
        "@other.schedule('daily')", "@schedule('daily')",
    ],
)  # fmt: skip
def test_what_a_decorator_may_have_is_no_problem(tmp_path: Path, decorator: str) -> None:
    code = f"from chalice import Chalice, Cron, Rate\napp = Chalice('x')\n{decorator}\ndef job(event): ...\n"
    assert problems(tmp_path, {}, app=code) == []

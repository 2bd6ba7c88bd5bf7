"""The console's process stays small: it loads no command line, and what is called of AWS is known."""

from __future__ import annotations

import subprocess
import sys

from iam.calls import collect

from auto_lambda_cli.console.context import CALLS

LOADED = """
import sys
import auto_lambda_cli.console.__main__
import uvicorn.lifespan.off
import uvicorn.protocols.http.h11_impl
import auto_lambda_cli.queries.operations
from auto_lambda_cli.console.context import ConsoleContext
from auto_lambda_cli.target import Target
services = ConsoleContext(Target("uploads", None), {"AWS_REGION": "eu-west-1"}).services
services.store.exists
services.client("dynamodb")
print(*{name.partition(".")[0] for name in sys.modules})
"""
MODULES = ("cloudwatch", "dynamodb", "logs", "sqs", "parameters")
"""Those of ``auto_lambda/aws`` by which the console asks, but for that of Auto Scaling, which is the workers'."""
ELSEWHERE = {"DescribeAlarms", "GetMetricStatistics", "PutMetricData", "GetSecretValue"}
"""What only checker and workers call of them."""


def test_no_command_line_no_boto3_and_no_pydantic_are_loaded() -> None:
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert {"botocore", "starlette", "uvicorn", "worker"} <= loaded
    assert loaded & {"boto3", "click", "multiprocessing", "pydantic", "rich", "s3transfer", "typer"} == set()


def test_what_its_modules_call_is_not_left_out_of_its_clients() -> None:
    files = {f"auto_lambda/aws/{name}.py" for name in MODULES}
    called = {(it.service, it.operation) for it in collect() if it.file in files and it.operation not in ELSEWHERE}
    assert {service for service, _ in called} - {"secretsmanager"} == CALLS.keys() - {"autoscaling"}
    assert {(service, name) for service, name in called if name not in CALLS[service]} == set()

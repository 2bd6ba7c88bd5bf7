"""Collects from the source which operations of AWS our programs call: calls, waiters, paginators and transfers."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import botocore.loaders
import botocore.waiter
from botocore import xform_name

ROOT = Path(__file__).parents[3]
SERVICES = (
    "apigateway",
    "autoscaling",
    "cloudformation",
    "cloudwatch",
    "dynamodb",
    "ec2",
    "events",
    "kinesis",
    "lambda",
    "logs",
    "s3",
    "secretsmanager",
    "service-quotas",
    "sns",
    "sqs",
    "ssm",
    "sts",
)
FOLDERS = ("auto_lambda", "worker", "checker", "auto_lambda_cli", "ami")
EMULATED = "auto_lambda_cli/local_stack"
"""Speaks to the embedded AWS only."""

_TRANSFERS = {"upload_file": ("PutObject", "AbortMultipartUpload"), "download_file": ("HeadObject", "GetObject")}
_CLIENTS = ("client", "clients", "autoscaling", "ec2", "ssm", "_invoking", "s3", "secrets", "sqs")
"""How receivers end that are clients."""


@dataclass(frozen=True, slots=True, order=True)
class Call:
    """An operation that a file calls."""

    file: str
    service: str
    operation: str


def collect() -> set[Call]:
    """Return every operation that is called anywhere in the programs."""
    files = (file for folder in FOLDERS for file in (ROOT / folder).rglob("*.py"))
    named = ((file, str(file.relative_to(ROOT))) for file in files)
    return {call for file, name in named if not name.startswith(EMULATED) for call in _in(file, name)}


def _in(file: Path, name: str) -> Iterator[Call]:
    for node in ast.walk(ast.parse(file.read_text())):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        receiver, method = ast.unparse(node.func.value), node.func.attr
        if _is_client(receiver):
            yield from (Call(name, *found) for found in _operations(method, node, _guess(name, receiver)))


def unknown_receivers() -> set[tuple[str, str]]:
    """Return calls by a method's name of boto3 on something that does not look like a client: file and method."""
    files = (file for folder in FOLDERS for file in (ROOT / folder).rglob("*.py"))
    named = ((file, str(file.relative_to(ROOT))) for file in files)
    return {
        (name, node.func.attr)
        for file, name in named
        if not name.startswith(EMULATED)
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and "_" in node.func.attr
        if not _is_client(ast.unparse(node.func.value)) and _is_operation(node.func.attr)
    }


def _is_operation(method: str) -> bool:
    return method in ("get_waiter", "get_paginator") or any(method in operations(service) for service in SERVICES)


def _is_client(receiver: str) -> bool:
    return receiver.split("(")[0].split(".")[-1].endswith(_CLIENTS)


def _guess(name: str, receiver: str) -> tuple[str, ...]:
    """Choose the services that a method can be of: a module of ``auto_lambda/aws`` has the name of its own."""
    own = Path(name).stem.removesuffix("_")
    told = tuple(service for service in SERVICES if service in receiver)
    return (own,) if name.startswith("auto_lambda/aws/") and own in SERVICES else told or SERVICES


def _operations(method: str, node: ast.Call, services: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    if method in _TRANSFERS and "s3" in services:
        yield from (("s3", operation) for operation in _TRANSFERS[method])
    wanted = node.args[0] if node.args else None
    for service in services:
        if method == "get_waiter" and isinstance(wanted, ast.Constant):
            yield service, _waits_with(service, str(wanted.value))
        elif method in ("get_paginator", "can_paginate") and isinstance(wanted, ast.Constant):
            method = str(wanted.value)
        if operation := operations(service).get(method):
            yield service, operation


@cache
def operations(service: str) -> dict[str, str]:
    """Return the operations of a service by the names of boto3's methods."""
    model = botocore.loaders.Loader().load_service_model(service, "service-2")
    return {xform_name(name): name for name in model["operations"]}


def _waits_with(service: str, waiter: str) -> str:
    model = botocore.waiter.WaiterModel(botocore.loaders.Loader().load_service_model(service, "waiters-2"))
    names = {xform_name(name): name for name in model.waiter_names}
    return str(model.get_waiter(names[waiter]).operation)

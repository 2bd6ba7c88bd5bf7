"""The flex controller: moves apps between Lambda and Fargate as their demand rises and falls.

Alarms and a tick are hints, published on one topic. One function, one run at a time, hears them, looks at every flex
stack, and begins at most one transition of each. The API only reads.
"""

from __future__ import annotations

import json
import os
import re
import uuid
from datetime import UTC, datetime
from functools import cache
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from chalice import Chalice, IAMAuthorizer, Rate, Response
from chalicelib.converge import Convergence
from chalicelib.fronts import Fronts
from chalicelib.page import HEADERS, page
from chalicelib.stacks import Stacks
from chalicelib.telling import Telling

app = Chalice(app_name="flex-controller")

TOPIC = os.environ["TOPIC"]
ROLE = os.environ["ROLE"]
PUBLIC = os.environ.get("PUBLIC_STATUS", "") == "yes"
_ONE_AT_A_TIME = Lock()
_WHO = None if PUBLIC else IAMAuthorizer()
_ACCOUNT = re.compile(r"\b\d{12}\b")


@app.route("/", authorizer=_WHO)
def index() -> Response:
    """Show people what each app is doing."""
    return Response(page(_rows()), headers=HEADERS)


@app.route("/stack-status", authorizer=_WHO)
def stack_status() -> dict[str, Any]:
    """Tell programs what each app is doing, what it waits for, and why."""
    return {"apps": _rows()}


@app.schedule(Rate(1, unit=Rate.MINUTES))
def tick(event: Any) -> None:
    """Look once a minute: a lost hint is late, never lost."""
    _, partition, _, region, account, *_ = event.context.invoked_function_arn.split(":")
    message = json.dumps({"kind": "tick"})
    _client("sns").publish(TopicArn=f"arn:{partition}:sns:{region}:{account}:{TOPIC}", Message=message)


@app.on_sns_message(topic=TOPIC)
def converge(event: Any) -> None:
    """Begin what is next for each app, whatever the hint says: alarms publish on the topic themselves."""
    convergence = _convergence()
    convergence.telling.log("hint", source=_source(event.message))
    convergence.run()


def _rows() -> list[dict[str, Any]]:
    rows = [row.told() for row in _convergence().look()]
    return json.loads(_ACCOUNT.sub("...", json.dumps(rows))) if PUBLIC else rows


def _source(message: str) -> str:
    """Return the name of the alarm that published a message, else ``tick``."""
    try:
        told = json.loads(message)
    except (ValueError, RecursionError):
        return "unknown"
    return str(told.get("AlarmName") or told.get("kind"))[:200] if isinstance(told, dict) else "unknown"


def _convergence() -> Convergence:
    telling = Telling(uuid.uuid4().hex[:12], os.environ["NAMESPACE"], _client("cloudwatch"))
    return Convergence(_stacks(), _fronts(), telling, _now, os.environ.get("PIPELINE", ""))


@cache
def _stacks() -> Stacks:
    return Stacks(_client("cloudformation"), ROLE)


@cache
def _fronts() -> Fronts:
    return Fronts(_client("elbv2"), _client("ecs"), _client("cloudwatch"), _emulator())


def _emulator() -> str:
    """Return the endpoint of AWS if that is an emulator on this machine, else nothing."""
    endpoint = os.environ.get("AWS_ENDPOINT_URL", "")
    return endpoint.rstrip("/") if urlsplit(endpoint).hostname in {"127.0.0.1", "localhost"} else ""


@cache
def _client(service: str) -> Any:
    """Make a client that waits with a request while AWS throttles it."""
    config = Config(retries={"mode": "adaptive", "max_attempts": 6}, connect_timeout=3, read_timeout=15)
    with _ONE_AT_A_TIME:  # a session must not make two at once
        return boto3.client(service, config=config)  # type: ignore[call-overload]


def _now() -> datetime:
    return datetime.now(UTC)

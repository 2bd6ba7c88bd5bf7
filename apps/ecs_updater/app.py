"""The ECS updater: a push to a registry becomes running tasks, and alarms change how many there are.

Everything that happens is a hint, published on one topic. One function, one run at a time, hears the hints, looks at
the registries, the alarms and ECS, and makes them agree. Only that function may change anything.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from threading import Lock
from typing import Any
from urllib.parse import unquote

import boto3
from botocore.config import Config
from chalice import Chalice, IAMAuthorizer, Rate, Response
from chalicelib import hooks
from chalicelib.converge import Convergence
from chalicelib.ecs import Ecs
from chalicelib.parameters import Secrets
from chalicelib.registries import Registries, Remembering
from chalicelib.telling import Telling

app = Chalice(app_name="ecs-updater")

CLUSTERS = os.environ["CLUSTERS"].split()
FAMILIES = os.environ.get("FAMILIES", "").split()
TOPIC = os.environ["TOPIC"]
_SECONDS_BETWEEN_QUESTIONS = 60 * float(os.environ.get("REGISTRY_MINUTES", "5"))
_ONE_AT_A_TIME = Lock()
_PUSHES = {"source": ["aws.ecr"], "detail-type": ["ECR Image Action"], "detail": {"action-type": ["PUSH", "DELETE"]}}
_ENDS = ["SERVICE_DEPLOYMENT_COMPLETED", "SERVICE_DEPLOYMENT_FAILED"]
_DEPLOYMENTS = {"source": ["aws.ecs"], "detail-type": ["ECS Deployment State Change"], "detail": {"eventName": _ENDS}}


@app.route("/hooks/docker-hub/{token}", methods=["POST"])
def docker_hub(token: str) -> Response:
    """Take Docker Hub's webhook."""
    return _take(lambda body: hooks.docker_hub(unquote(token), body, _secrets().get))  # APIs hand it on as sent


@app.route("/hooks/github", methods=["POST"])
def github() -> Response:
    """Take GitHub's webhook for packages."""
    signature, event = _header("x-hub-signature-256"), _header("x-github-event")
    return _take(lambda body: hooks.github(signature, event, body, _secrets().get))


@app.route("/hooks/push", methods=["POST"])
def push() -> Response:
    """Take a POST of any CI."""
    return _take(lambda body: hooks.plain(_header("authorization"), body, _secrets().get))


@app.route("/status", authorizer=IAMAuthorizer())
def status() -> dict[str, Any]:
    """Tell what follows what, what runs, what is wanted, and why not."""
    convergence = Convergence(_ecs(), _registries(), _telling(), _now, patience=10)  # of 20 s
    world = convergence.look(CLUSTERS, FAMILIES)
    return {
        "services": [row.told() for row in convergence.rows(world, world.plan())],
        "problems": list(world.problems),
    }


@app.schedule(Rate(1, unit=Rate.MINUTES))
def tick(event: Any) -> None:
    """Look once a minute: a lost hint is late, never lost."""
    _hint(event.context, "tick", "schedule")


@app.on_cw_event(_PUSHES)
def pushed(event: Any) -> None:
    """Hear of a push to ECR."""
    image = f"{event.detail.get('repository-name')}:{event.detail.get('image-tag')}"
    _hint(event.context, "push", "ecr", image)


@app.on_cw_event(_DEPLOYMENTS)
def deployed(event: Any) -> None:
    """Hear how a deployment of ECS ended."""
    _hint(event.context, "deployment", "ecs", str(event.detail.get("eventName", "")))


@app.on_sns_message(topic=TOPIC)
def converge(event: Any) -> None:
    """Make ECS agree with registries and alarms. Alarms publish on the topic themselves."""
    telling = _telling()
    hint = _read(event.message)
    telling.log("hint", **hint)
    if hint["kind"] == "push":
        _remembered().forget()
    Convergence(_ecs(), _remembered(), telling, _now).run(CLUSTERS, FAMILIES)


def _take(check: Callable[[bytes], hooks.Hint | None]) -> Response:
    """Check a webhook, publish its hint and answer. Nothing of a refused one is logged but why."""
    try:
        hint = check(app.current_request.raw_body)
    except hooks.Refused as refused:
        _telling().log("hook-refused", status=refused.status, why=str(refused))
        return Response({"message": str(refused)}, status_code=refused.status)
    if hint is None:
        return Response({"message": "nothing to do"}, status_code=202)
    _hint(app.lambda_context, "push", hint.source, hint.image)
    hooks.call_back(hint.callback)
    return Response({"message": "looking"}, status_code=202)


def _hint(context: Any, kind: str, source: str, image: str = "") -> None:
    """Publish a hint on the topic of the account and region that this function is in."""
    _, partition, _, region, account, *_ = context.invoked_function_arn.split(":")
    message = json.dumps({"kind": kind, "source": source, "image": image})
    topic = f"arn:{partition}:sns:{region}:{account}:{TOPIC}"
    _client("sns").publish(TopicArn=topic, Subject="ecs-updater hint", Message=message)


def _read(message: str) -> dict[str, str]:
    """Read a hint, or an alarm's own message."""
    try:
        told = json.loads(message)
    except (ValueError, RecursionError):
        told = {}
    if not isinstance(told, dict):
        told = {}
    if "AlarmName" in told:
        return {"kind": "alarm", "source": str(told["AlarmName"]), "image": ""}
    return {name: str(told.get(name, ""))[:200] for name in ("kind", "source", "image")}


def _header(name: str) -> str:
    return str(app.current_request.headers.get(name, ""))


def _telling() -> Telling:
    return Telling(uuid.uuid4().hex[:12], os.environ["NAMESPACE"], _client("cloudwatch"), _client("events"))


@cache
def _ecs() -> Ecs:
    return Ecs(_client("ecs"), _client("cloudwatch"))


@cache
def _secrets() -> Secrets:
    return Secrets(_client("ssm"), os.environ["SECRETS"])


@cache
def _registries() -> Registries:
    plain = os.environ.get("PLAIN_HTTP_REGISTRIES", "").split()
    token_hosts = dict(pair.split("=", 1) for pair in os.environ.get("TOKEN_HOSTS", "").split())
    return Registries(
        lambda host: _secrets().get(f"registries/{host}"), lambda region: _client("ecr", region), plain, token_hosts
    )


@cache
def _remembered() -> Remembering:
    return Remembering(_registries(), _SECONDS_BETWEEN_QUESTIONS)


@cache
def _client(service: str, region: str | None = None) -> Any:
    """Make a client that waits with a request while AWS throttles it."""
    config = Config(retries={"mode": "adaptive", "max_attempts": 6}, connect_timeout=3, read_timeout=15)
    with _ONE_AT_A_TIME:  # a session must not make two at once
        return boto3.client(service, region_name=region, config=config)  # type: ignore[call-overload]


def _now() -> datetime:
    return datetime.now(UTC)

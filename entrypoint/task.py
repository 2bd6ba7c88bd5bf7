"""The description of a task: which code it runs, and how. The worker writes it, the entrypoint reads it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

VARIABLE = "AUTO_LAMBDA_TASK"
"""The environment variable that holds it, as JSON."""

PORT = 8080
HEALTH_PATH = "/.auto-lambda/health"
"""Answered by the entrypoint itself: 200 once the app has started, 503 while the task drains."""

MOST_CHARACTERS = 32_000  # ECS takes 64 KB for a whole task definition
LONGEST_DRAIN = 120  # ECS kills a task on Fargate that long after SIGTERM, at the latest

Kind = Literal["asgi", "wsgi", "lambda"]
Payload = Literal["1.0", "2.0"]

_TEXTS = {
    "text": re.compile(r"\A.+"),
    "a SHA-256 in hexadecimal digits": re.compile(r"\A[0-9a-f]{64}"),
    "text like module.function": re.compile(r"\A[^\s.]+(\.[^\s.]+)+"),
    "text like module:attribute": re.compile(r"\A[^\s:]+:[^\s:]+"),
    "a path that begins with /": re.compile(r"\A/\S*"),
}


class BadTask(ValueError):
    """A description that no worker writes: the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Artefact:
    """A zip in the artifacts bucket, which is verified before it is unpacked."""

    key: str
    sha256: str


@dataclass(frozen=True, slots=True)
class TaskDescription:
    """What one container runs.

    Attributes:
        bucket: the artifacts bucket.
        code: what Lambda unpacks to /var/task.
        layers: what Lambda unpacks to /opt, in this order.
        handler: the function's, ``module.function``.
        kind: how requests reach the app: called as an ASGI or WSGI application, or as ``handler`` with the event that
            API Gateway would send.
        application: ``module:attribute`` of the ASGI or WSGI application; None if zappa's handler knows it, and for
            kind ``lambda``.
        health_path: of the app itself; asked once when it has started, for the log.
        drain_seconds: from SIGTERM to the end, at most: the target group's deregistration delay.
        function_name: the Lambda function's.
        function_version: of the function that has the same code.
        memory: MB, as the app reads it from its environment.
        timeout: seconds for one request of kind ``lambda``.
        processes: that serve at the same time.
        port: to listen on.
        payload: the version of the events that the app's front on Lambda sends, for kind ``lambda``: 1.0 from a REST
            API, 2.0 from an HTTP API or a function URL.
        front: what a REST API does itself before it calls the function, as `entrypoint.bridge.front` describes it;
            None if it passes on all.
    """

    bucket: str
    code: Artefact
    layers: tuple[Artefact, ...]
    handler: str
    kind: Kind
    application: str | None
    health_path: str
    drain_seconds: int
    function_name: str
    function_version: str
    memory: int
    timeout: int
    processes: int
    port: int = PORT
    payload: Payload = "2.0"
    front: Mapping[str, Any] | None = None


def describe(task: TaskDescription) -> str:
    """Return a task as the text of its environment variable, the same for equal tasks.

    Raises:
        BadTask: it cannot be parsed again, or is too long for a task definition.
    """
    text = json.dumps(asdict(task), sort_keys=True, separators=(",", ":"))
    parse(text)
    return text


def parse(text: str) -> TaskDescription:
    """Read a description; every field is checked, and only known ones are taken.

    Raises:
        BadTask: what is wrong, by the field's name.
    """
    if len(text) > MOST_CHARACTERS:
        raise BadTask(f"{VARIABLE} has {len(text)} characters, and {MOST_CHARACTERS} are allowed")
    try:
        given = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadTask(f"{VARIABLE} is not JSON: {error}") from error
    values = _Values(given, "", {one.name for one in fields(TaskDescription)})
    return _consistent(TaskDescription(
        bucket=values.text("bucket"),
        code=_artefact(values.given("code"), "code"),
        layers=tuple(_artefact(one, f"layers[{index}]") for index, one in enumerate(values.sequence("layers"))),
        handler=values.text("handler", "text like module.function"),
        kind=values.choice("kind", get_args(Kind)),
        application=values.optional("application", lambda name: values.text(name, "text like module:attribute")),
        health_path=values.text("health_path", "a path that begins with /"),
        drain_seconds=values.number("drain_seconds", 1, LONGEST_DRAIN),
        function_name=values.text("function_name"),
        function_version=values.text("function_version"),
        memory=values.number("memory", 1, 1 << 20),
        timeout=values.number("timeout", 1, 900),
        processes=values.number("processes", 1, 64),
        port=values.number("port", 0, 65535) if "port" in given else PORT,
        payload=values.choice("payload", get_args(Payload)) if "payload" in given else "2.0",
        front=values.optional("front", values.mapping) if "front" in given else None,
    ))  # fmt: skip


def _consistent(task: TaskDescription) -> TaskDescription:
    if task.kind == "lambda" and task.application:
        raise BadTask(f"application has to be null for kind {task.kind!r}: the handler is called")
    if task.front is not None and task.payload != "1.0":
        raise BadTask("front describes a REST API, whose payload is '1.0'")
    return task


def _artefact(given: object, name: str) -> Artefact:
    values = _Values(given, f"{name}.", {"key", "sha256"})
    return Artefact(values.text("key"), values.text("sha256", "a SHA-256 in hexadecimal digits"))


class _Values:
    """A JSON object, whose values are taken by name and type."""

    def __init__(self, given: object, prefix: str, known: set[str]) -> None:
        if not isinstance(given, dict):
            raise BadTask(f"{prefix.rstrip('.') or VARIABLE} has to be an object, and is {_shown(given)}")
        if unknown := sorted(set(given) - known):
            raise BadTask(f"{prefix}{unknown[0]} is not known")
        self._given: dict[str, Any] = given
        self._prefix = prefix

    def given(self, name: str) -> Any:
        if name not in self._given:
            raise BadTask(f"{self._prefix}{name} is missing")
        return self._given[name]

    def text(self, name: str, wanted: str = "text") -> str:
        value = self.given(name)
        if not isinstance(value, str) or not _TEXTS[wanted].fullmatch(value):
            raise self._wrong(name, wanted)
        return value

    def number(self, name: str, least: int, most: int) -> int:
        value = self.given(name)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise self._wrong(name, f"a whole number from {least} to {most}")
        return value

    def choice(self, name: str, choices: tuple[Any, ...]) -> Any:
        if self.given(name) not in choices:
            raise self._wrong(name, f"one of {', '.join(choices)}")
        return self._given[name]

    def sequence(self, name: str) -> list[Any]:
        value = self.given(name)
        return value if isinstance(value, list) else self._refuse(name, "a list")

    def mapping(self, name: str) -> Mapping[str, Any]:
        value = self.given(name)
        return value if isinstance(value, dict) else self._refuse(name, "an object")

    def optional(self, name: str, read: Callable[[str], Any]) -> Any:
        return None if self.given(name) is None else read(name)

    def _refuse(self, name: str, wanted: str) -> Any:
        raise self._wrong(name, wanted)

    def _wrong(self, name: str, wanted: str) -> BadTask:
        return BadTask(f"{self._prefix}{name} has to be {wanted}, and is {_shown(self._given[name])}")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."

"""A console of a pipeline in moto, asked as its page asks it."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from commands import BUCKET

from auto_lambda.aws.dynamodb import Table
from auto_lambda_cli.console.access import ConsoleAddress

ARTIFACTS = "artifacts"


@dataclass(frozen=True, slots=True)
class PipelineParts:
    """Queues, ledger and buckets of a pipeline in moto."""

    s3: Any
    sqs: Any
    table: Table
    queue: str
    dead_letters: str

    def received(self) -> list[Any]:
        """What a worker would get now."""
        answer = self.sqs.receive_message(
            QueueUrl=self.queue, MaxNumberOfMessages=10, MessageAttributeNames=["All"], WaitTimeSeconds=0
        )
        return list(answer.get("Messages", []))

    def put_aside(self, key: str, **attributes: str) -> None:
        """A message about a zip is in the dead-letter queue."""
        told = {name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()}
        item = {"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": BUCKET}, "object": {"key": key}}}
        body = json.dumps({"Records": [item]})
        self.sqs.send_message(QueueUrl=self.dead_letters, MessageBody=body, MessageAttributes=told)


@dataclass(frozen=True, slots=True)
class ConsoleAnswer:
    """What the console answered. Names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> Any:
        return self.json["error"]

    def value(self, part: str) -> Any:
        """A part of the answer that did not fail."""
        return self.json["parts"][part]["value"]

    def problem(self, part: str) -> Any:
        """What is said of a part that failed."""
        return self.json["parts"][part]["error"]


@dataclass(frozen=True)
class Page:
    """The page in a browser, as far as the console can tell."""

    address: ConsoleAddress
    more: Mapping[str, str] = field(default_factory=dict)

    def get(self, path: str, **headers: str) -> ConsoleAnswer:
        return self.ask("GET", f"/{self.address.token}/{path}", headers)

    def post(self, path: str, body: Any = None, **headers: str) -> ConsoleAnswer:
        own = {"Content-Type": "application/json", **self.own_headers, **headers}
        text = body if isinstance(body, bytes) else json.dumps(body or {}).encode()
        return self.ask("POST", f"/{self.address.token}/{path}", own, text)

    @property
    def own_headers(self) -> dict[str, str]:
        origin = f"http://127.0.0.1:{self.address.port}"
        return {"Origin": origin, "X-Auto-Lambda": "console", "Sec-Fetch-Site": "same-origin"}

    def ask(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None) -> ConsoleAnswer:
        connection = http.client.HTTPConnection("127.0.0.1", self.address.port, timeout=30)
        try:
            connection.request(method, path, body, {**self.more, **headers})
            answer = connection.getresponse()
            named = {name.lower(): value for name, value in answer.getheaders()}
            return ConsoleAnswer(answer.status, named, answer.read())
        finally:
            connection.close()

    @contextmanager
    def stream(self, path: str) -> Iterator[Iterator[tuple[str, Any]]]:
        """The events of a stream, each with its data; a browser that has gone at the end."""
        connection = http.client.HTTPConnection("127.0.0.1", self.address.port, timeout=30)
        try:
            connection.request("GET", f"/{self.address.token}/{path}", headers=dict(self.more))
            answer = connection.getresponse()
            assert (answer.status, answer.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
            yield _events(answer)
        finally:
            connection.close()


def _events(answer: http.client.HTTPResponse) -> Iterator[tuple[str, Any]]:
    name = ""
    for line in answer:
        field_name, _, value = line.decode().rstrip("\n").partition(": ")
        if field_name == "event":
            name = value
        elif field_name == "data":
            yield name, json.loads(value)


def eventually(happened: Callable[[], bool], seconds: float = 20) -> bool:
    """Whether it has happened in time."""
    deadline = time.monotonic() + seconds
    while not happened() and time.monotonic() < deadline:
        time.sleep(0.02)
    return happened()

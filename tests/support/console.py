"""A console of a pipeline in moto, asked as its page asks it."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from auto_lambda_cli.console.access import ConsoleAddress


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

"""The Runtime API hands out one event after another, and takes what becomes of each."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.client import HTTPConnection, RemoteDisconnected

import pytest
from e2e_stack import until

from entrypoint.bridge.runtime_api import HandlerOutcome, LoopbackRuntimeApi

NEXT = "/2018-06-01/runtime/invocation/next"


@dataclass
class Api:
    """A Runtime API that is up, and what it was told."""

    ready: threading.Event = field(default_factory=threading.Event)
    outcomes: list[HandlerOutcome] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.server = LoopbackRuntimeApi("arn:of:it", self.ready.set, self.outcomes.append)
        self.connection = HTTPConnection(self.server.address, timeout=20)

    def post(self, path: str, body: bytes) -> int:
        self.connection.request("POST", f"/2018-06-01/runtime/{path}", body)
        answer = self.connection.getresponse()
        answer.read()
        return answer.status


@pytest.fixture
def api() -> Iterator[Api]:
    api = Api()
    yield api
    api.connection.close()
    api.server.end()


def test_it_listens_where_only_this_machine_gets_to(api: Api) -> None:
    assert api.server.address.startswith("127.0.0.1:")


def test_a_process_gets_events_one_after_another_with_time_left_and_a_name(api: Api) -> None:
    identifiers = set()
    for number in range(2):
        api.server.events.put((json.dumps({"number": number}).encode(), 29))
        api.connection.request("GET", NEXT)
        answer = api.connection.getresponse()
        assert json.loads(answer.read()) == {"number": number}
        assert answer.headers["Lambda-Runtime-Invoked-Function-Arn"] == "arn:of:it"
        assert int(answer.headers["Lambda-Runtime-Deadline-Ms"]) > 0
        identifiers.add(answer.headers["Lambda-Runtime-Aws-Request-Id"])
    assert len(identifiers) == 2
    assert api.ready.is_set()


@pytest.mark.parametrize(
    ("path", "failed"), [("invocation/1/response", False), ("invocation/1/error", True), ("init/error", True)]
)
def test_what_becomes_of_an_event_is_told(api: Api, path: str, failed: bool) -> None:
    assert api.post(path, b'{"a": 1}') == 202
    until(lambda: api.outcomes, 20)
    assert api.outcomes == [HandlerOutcome(failed, b'{"a": 1}')]


def test_what_it_does_not_know_changes_nothing(api: Api) -> None:
    assert api.post("elsewhere", b"{}") == 202
    assert api.outcomes == []


def test_who_waits_when_it_ends_is_let_go() -> None:
    api = Api()
    api.connection.request("GET", NEXT)
    assert api.ready.wait(20)
    api.server.end()
    with pytest.raises((RemoteDisconnected, ConnectionResetError)):
        api.connection.getresponse()
    api.connection.close()

"""Under a load of requests, deployments that go well, go wrong or lose their worker show nobody what has not answered.

Every request is answered, and by a release that was verified before. The bad ones pass the proof, which knows no
`AUTO_LAMBDA_RELEASE`; each of them would answer at ``/`` with its own word, or break.
"""

from __future__ import annotations

import threading
import urllib.request
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import pytest
from chaos_scenarios import Scenario
from crashes import Lane
from e2e_stack import make_zip, small_zappa
from faulty_aws import Call, Fault, Kind

CLIENTS = 2
SWITCH, FRONT = Call("lambda:UpdateAlias"), Call("cloudformation:ExecuteChangeSet")
APP = """
import os
import time

DEPLOYED = os.environ.get("AUTO_LAMBDA_RELEASE", "proof") != "proof"
{at_import}


class AccessDeniedException(Exception):
    pass


def app(environ, start_response):
    if DEPLOYED and environ["PATH_INFO"] == "/up":
        {at_health}
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"{word}"]
"""
BAD = {
    "crashes": {"at_import": 'if DEPLOYED:\n    raise RuntimeError("not here")'},
    "fails": {"at_health": 'start_response("500 Internal Server Error", []); return [b"no"]'},
    "hangs": {"at_health": "time.sleep(60)"},
    "ends": {"at_health": "os._exit(137)  # as Lambda does where memory runs out"},
    "denied": {"at_health": 'raise AccessDeniedException("not authorized to perform: dynamodb:GetItem")'},
}
SWITCHING = {"switching": Fault(SWITCH, Kind.KILL_AFTER)}
IN_FRONT = {"in front": Fault(FRONT, Kind.KILL_AFTER)}


def app(word: str, at_import: str = "", at_health: str = "pass") -> bytes:
    code = APP.format(word=word, at_import=at_import, at_health=at_health)
    files = small_zappa(timeout_seconds=1)
    return make_zip({**files, "app.py": code, "auto-lambda.toml": 'health_path = "/up"\n'})


class Load:
    """Clients that ask as fast as they are answered, and count what they get. A context manager."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._ask, daemon=True) for _ in range(CLIENTS)]
        self.answers: Counter[str] = Counter()
        self.failures: list[str] = []

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _ask(self) -> None:
        while not self._over.is_set():
            try:
                with urllib.request.urlopen(self._url, timeout=60) as answer:
                    self.answers[answer.read().decode()] += 1
            except OSError as error:
                self.failures.append(str(error))
            self._over.wait(0.05)


@dataclass
class Seen:
    """What the clients got during all deployments, and how these ended."""

    answers: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    good: set[str] = field(default_factory=set)
    bad: dict[str, dict[str, Any]] = field(default_factory=dict)


def deploy(folder: Path, good: Sequence[str], bad: Sequence[str], kills: Mapping[str, Fault]) -> Seen:
    """Deploy releases of one app after each other, under load."""
    seen = Seen(good={"first", *good, *kills})
    with Lane(folder, Scenario.ZAPPA_UPDATE) as lane:
        lane.drop(app("first"))
        with Load(lane.url) as load:
            for word in good:
                assert lane.drop(app(word))["status"] == "live"
            for word in bad:
                seen.bad[word] = lane.drop(app(word, **BAD[word]))
            for word, fault in kills.items():
                assert lane.drop(app(word), fault)["status"] == "live"
        seen.answers, seen.failures = load.answers, load.failures
    return seen


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """Two apps at once, since what is killed waits for its lease, and what fails is asked again and again."""
    folder = tmp_path_factory.mktemp("switch")
    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(deploy, folder / "one", ("second", "third"), ("crashes", "ends", "denied"), SWITCHING)
        other = pool.submit(deploy, folder / "other", (), ("fails", "hangs"), IN_FRONT)
        first, second = one.result(), other.result()
    return Seen(
        first.answers + second.answers,
        first.failures + second.failures,
        first.good | second.good,
        first.bad | second.bad,
    )


def test_every_request_was_answered(seen: Seen) -> None:
    assert sum(seen.answers.values()) > 100
    assert seen.failures == []


def test_no_answer_is_of_a_version_that_was_not_verified(seen: Seen) -> None:
    assert seen.answers.keys() <= seen.good
    assert seen.answers.keys() >= {"first", "second", "third"}, "all that was live was seen"


@pytest.mark.parametrize("word", BAD)
def test_a_bad_release_fails_and_says_why(seen: Seen, word: str) -> None:
    receipt = seen.bad[word]
    assert (receipt["status"], receipt["error"]["code"]) == ("failed", "unhealthy")
    assert receipt["error"]["message"].startswith("Nobody was led to it: GET /up was answered 50")

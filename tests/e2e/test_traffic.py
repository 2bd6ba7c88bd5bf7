"""Gradual traffic on a running stack: shares are counted from outside, by who answers.

The bounds are so wide that an honest share is outside of them less than once in 10^9 runs.
"""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from e2e_stack import Drop, LocalUp, Stack, descendants, make_zip, running, small_chalice, until

CALLS = 60
CANARY = '[traffic]\ncanary = {percent = 30, interval = "%s"}\n'
LONG = "1h"
APPS = ("through", "failing", "aborted", "promoted")


def app(word: str, interval: str = LONG) -> bytes:
    """An app that answers a word. Its new version ends its process when it gets a query; it is not asked so before."""
    crash = "__import__('os')._exit(1) if app.current_request.query_params else " if word == "new" else ""
    return make_zip({**small_chalice(f"{crash}{{'word': '{word}'}}"), "auto-lambda.toml": CANARY % interval})


@pytest.fixture(scope="module")
def stack(started: Stack) -> Stack:
    """The shared stack, without waiting for what else is dropped into it."""
    return started


@pytest.fixture(scope="module")
def urls(stack: Stack) -> dict[str, str]:
    drops = {name: stack.drop(name, app("old")) for name in APPS}
    return {name: str(stack.live(drop)["url"]) for name, drop in drops.items()}


def shifting(stack: Stack, drop: Drop) -> dict[str, Any]:
    """The receipt of a version once it has its first share."""

    def weighed() -> Any:
        receipt = stack.receipt(drop)
        if not receipt or receipt["upload"]["version"] != drop.version:
            return None
        assert receipt["status"] not in ("failed", "live"), stack.log(drop)
        return receipt if (receipt["traffic"] or {}).get("weight") else None

    return until(weighed, 120, lambda: f"{stack.receipt(drop)}\n{stack.log(drop)}")


def words(stack: Stack, url: str, calls: int = CALLS) -> Counter[str]:
    return Counter(str(stack.http(url).json["word"]) for _ in range(calls))


def weights(stack: Stack, function: str) -> Any:
    alias = stack.lambda_.get_alias(FunctionName=function, Name="live")
    return alias["FunctionVersion"], alias.get("RoutingConfig", {}).get("AdditionalVersionWeights") or {}


def worker(up: LocalUp) -> int:
    """The pid of the one worker."""
    (pid,) = (
        pid
        for pid in descendants(up.process.pid)
        if Path(f"/proc/{pid}/cmdline").read_bytes().endswith(b"\0-m\0worker\0")
    )
    return pid


def test_a_canary_gets_its_share_and_then_all_though_its_worker_was_killed(
    stack: Stack, local_up: LocalUp, urls: dict[str, str]
) -> None:
    drop = stack.drop("through", app("new", "20s"))
    told = shifting(stack, drop)
    assert (told["status"], told["traffic"]["weight"], told["traffic"]["kind"]) == ("deploying", 30, "canary")
    os.kill(pid := worker(local_up), signal.SIGKILL)
    assert weights(stack, told["function"]) == ("1", {"2": 0.3})
    found = words(stack, urls["through"])
    assert 1 <= found["new"] <= 44, found
    assert sum(found.values()) == CALLS
    receipt = stack.live(drop)
    assert not running(pid)
    assert receipt["traffic"]["weight"] == 100
    assert receipt["version"] == "2"
    assert weights(stack, told["function"]) == ("2", {})
    assert words(stack, urls["through"], 10) == {"new": 10}


def test_it_goes_back_by_itself_when_calls_fail(stack: Stack, urls: dict[str, str]) -> None:
    drop = stack.drop("failing", app("new", "10s"))
    function = shifting(stack, drop)["function"]
    answers = Counter(stack.http(f"{urls['failing']}?crash=yes").status for _ in range(30))
    assert answers[200], "the live version does not mind"
    assert answers[502], "and the new one fails"
    receipt = stack.final(drop)
    assert (receipt["status"], receipt["error"]["code"]) == ("failed", "traffic-went-back")
    assert "calls of the new version failed" in receipt["error"]["message"]
    assert weights(stack, function) == (receipt["serving"]["version"], {})
    assert words(stack, urls["failing"], 10) == {"old": 10}


def test_a_person_aborts(stack: Stack, urls: dict[str, str]) -> None:
    drop = stack.drop("aborted", app("new"))
    function = shifting(stack, drop)["function"]
    told = stack.cli("status", "aborted")
    assert "the new version has 30 % of the calls since" in told.stdout
    done = stack.cli("traffic", "abort", "aborted", "--json")
    assert done.returncode == 0, done.stderr
    receipt = json.loads(done.stdout)
    assert (receipt["status"], weights(stack, function)) == ("live", (receipt["version"], {}))
    assert words(stack, urls["aborted"], 10) == {"old": 10}
    again = stack.cli("traffic", "abort", "aborted")
    assert (again.returncode, "no traffic of dev/aborted is shifting" in again.stderr) == (2, True)


def test_a_person_promotes_at_once(stack: Stack, urls: dict[str, str]) -> None:
    drop = stack.drop("promoted", app("new"))
    function = shifting(stack, drop)["function"]
    done = stack.cli("traffic", "promote-now", "promoted", "--json")
    assert done.returncode == 0, done.stderr
    assert weights(stack, function) == ("2", {})
    assert words(stack, urls["promoted"], 10) == {"new": 10}

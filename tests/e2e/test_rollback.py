"""``auto-lambda rollback`` on a running stack: what was live is live again, and nothing is built for it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from e2e_stack import Drop, Stack, make_zip, saying, small_zappa

WORDS = ("one", "two", "three")


@pytest.fixture(scope="module")
def stack(started: Stack) -> Stack:
    """The shared stack, without the apps that other tests drop."""
    return started


@pytest.fixture(scope="module")
def receipts(stack: Stack) -> list[dict[str, Any]]:
    """Three zips of one app, live one after another."""
    bodies = [make_zip({**saying(word, small_zappa()), "requirements.txt": "iniconfig\n"}) for word in WORDS]
    return [stack.live(stack.drop("rolled", body)) for body in bodies]


def rolled_back(stack: Stack, *options: str) -> dict[str, Any]:
    done = stack.cli("rollback", "rolled", "--json", *options)
    assert done.returncode == 0, done.stderr
    receipt: dict[str, Any] = json.loads(done.stdout)
    return receipt


def test_each_rollback_goes_one_further_back_and_to_goes_anywhere(stack: Stack, receipts: list[dict[str, Any]]) -> None:
    uploads = [receipt["upload"]["version"] for receipt in receipts]
    back = rolled_back(stack)
    assert stack.http(back["url"]).text == "two"
    assert (back["rollback"], back["url"], back["function"]) == (
        uploads[1],
        receipts[2]["url"],
        receipts[2]["function"],
    )
    assert set(back["timings"]) == {"fetch", "deploy", "verify"}
    assert back["upload"]["sha256"] == receipts[1]["upload"]["sha256"]
    assert (back["framework"], back["package_bytes"]) == ("zappa", receipts[1]["package_bytes"])

    assert stack.http(rolled_back(stack)["url"]).text == "one"
    done = stack.cli("rollback", "rolled")
    assert (done.returncode, "Nothing is known to have been live before" in done.stderr) == (2, True)
    assert stack.http(rolled_back(stack, "--to", uploads[2])["url"]).text == "three"

    history = json.loads(stack.cli("status", "--history", "rolled", "--json").stdout)
    assert [attempt["rollback"] for attempt in history] == [uploads[2], uploads[0], uploads[1], None, None, None]
    said = stack.log(Drop("apps/rolled.zip", ""))
    assert f"version {uploads[2]} of this zip was live: its release is deployed again" in said
    assert stack.cli("logs", "rolled").stdout == said

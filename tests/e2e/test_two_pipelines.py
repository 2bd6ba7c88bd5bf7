"""Two pipelines in one account and region: each leaves alone what the other has made."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e_stack import Drop, Stack, make_zip, saying

from auto_lambda_cli.local_stack.processes import Child
from auto_lambda_cli.local_stack.stack import create_pipeline
from auto_lambda_cli.pipeline import naming
from auto_lambda_cli.running_stacks import RunningStack

OTHER = "staging"


@pytest.fixture
def other(started: Stack, tmp_path: Path) -> Iterator[Stack]:
    """Another pipeline beside the one of the stack, with a worker of its own."""
    outputs = create_pipeline(started.client, OTHER, {**naming.defaults(OTHER), "AppRights": "account"})
    pipeline = RunningStack.from_outputs(outputs, endpoint=started.endpoint, secret="test", folder=tmp_path)
    (work := tmp_path / "work").mkdir()
    settings = {"AUTO_LAMBDA_WORK_DIR": str(work), "AUTO_LAMBDA_POLL_SECONDS": "1", "AUTO_LAMBDA_DRAIN_SECONDS": "1"}
    worker = Child("worker", "worker", tmp_path / "worker.log", {**pipeline.environ_over(os.environ), **settings})
    worker.start()
    worker.wait_until_ready(120)
    yield Stack({**started.ready, **pipeline.ready_line()}, started.environ)
    worker.end(5)


def dropped(stack: Stack, name: str, word: str) -> Drop:
    return stack.drop(name, make_zip(saying(word)))


def pipeline_tag(stack: Stack, app: str) -> str | None:
    (found,) = stack.client("cloudformation").describe_stacks(StackName=f"al-{app}-dev")["Stacks"]
    return {it["Key"]: it["Value"] for it in found["Tags"]}.get("auto-lambda:pipeline")


def test_neither_touches_what_the_other_has_made(started: Stack, other: Stack) -> None:
    ours, theirs = dropped(started, "twin", "ours"), dropped(other, "cousin", "theirs")
    live = started.live(ours)
    assert other.live(theirs)["status"] == "live"
    assert (pipeline_tag(started, "twin"), pipeline_tag(started, "cousin")) == ("auto-lambda", OTHER)

    taking, taking_back = dropped(other, "twin", "taken"), dropped(started, "cousin", "taken")
    for stack, drop, owner in ((other, taking, "auto-lambda"), (started, taking_back, OTHER)):
        error = stack.final(drop)["error"]
        assert (error["code"], f"belongs to the pipeline {owner}" in error["message"]) == ("stack-not-ours", True)
    assert started.http(live["url"]).json == {"word": "ours"}
    assert other.http(other.live(dropped(other, "cousin", "newer"))["url"]).json == {"word": "newer"}

"""``auto-lambda doctor``: which things it looks at, how it tells them, and how it ends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from commands import run

from worker.operations.doctor import examine
from worker.operations.doctor.finding import Finding

PIPELINE = {
    "AWS_REGION": "us-east-1",
    "AUTO_LAMBDA_QUEUE_URL": "https://sqs.us-east-1.example/1/drops",
    "AUTO_LAMBDA_ARTIFACTS_BUCKET": "artifacts",
    "AUTO_LAMBDA_TABLE": "ledger",
    "AUTO_LAMBDA_BOUNDARY_ARN": "arn:aws:iam::123456789012:policy/boundary",
}


@pytest.fixture(autouse=True)
def examined(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> list[str]:
    """What was examined; nothing of it is broken."""
    looked: list[str] = []

    def machine(chosen: Any) -> Iterator[Finding]:
        looked.append("machine")
        yield Finding("sandbox", "fine", "it isolates")

    def pipeline(chosen: Any, clients: Any) -> Iterator[Finding]:
        looked.append(f"pipeline {chosen.uploads_bucket}")
        yield Finding("queue", "warning", "no dead letters", "Give it some.")

    monkeypatch.setattr(examine, "machine", machine)
    monkeypatch.setattr(examine, "pipeline", pipeline)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    for name in (*PIPELINE, "AUTO_LAMBDA_UPLOADS_BUCKET", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    return looked


def name_pipeline(monkeypatch: pytest.MonkeyPatch, **changes: str) -> None:
    for name, value in {**PIPELINE, "AUTO_LAMBDA_UPLOADS_BUCKET": "uploads", **changes}.items():
        monkeypatch.setenv(name, value)


def test_where_no_pipeline_is_named_it_looks_at_the_machine_and_says_so(examined: list[str]) -> None:
    done = run("doctor")
    assert (done.exit_code, done.stdout, examined) == (0, "ok sandbox: it isolates\n", ["machine"])
    assert "only this machine" in done.stderr


def test_an_uploaders_environment_is_no_broken_worker(examined: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTO_LAMBDA_UPLOADS_BUCKET", "uploads")
    assert (run("doctor").exit_code, examined) == (0, ["machine"])


def test_with_the_settings_of_a_worker_it_looks_at_both(examined: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    name_pipeline(monkeypatch)
    done = run("doctor", "--json")
    found = json.loads(done.stdout)
    assert [one["what"] for one in found] == ["settings", "sandbox", "queue"]
    assert found[2] == {"what": "queue", "verdict": "warning", "found": "no dead letters", "advice": "Give it some."}
    assert (done.exit_code, examined) == (0, ["machine", "pipeline uploads"])


def test_settings_that_cannot_work_are_told_all_at_once(examined: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    name_pipeline(monkeypatch, AUTO_LAMBDA_QUEUE_URL="drops", AUTO_LAMBDA_TABLE="")
    done = run("doctor")
    assert (done.exit_code, examined) == (1, ["machine"])
    assert all(name in done.stdout for name in ("AUTO_LAMBDA_QUEUE_URL", "AUTO_LAMBDA_TABLE"))
    assert "2 broken" in done.stderr


def test_only_the_machine_whatever_is_named(examined: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    name_pipeline(monkeypatch)
    assert run("doctor", "--machine").exit_code == 0
    assert examined == ["machine"]


@pytest.mark.parametrize("options", [["--local"], ["--local", "--machine"]])
def test_a_local_stack_that_is_not_up_or_not_meant_is_wrong_usage(options: list[str]) -> None:
    assert run("doctor", *options).exit_code == 2

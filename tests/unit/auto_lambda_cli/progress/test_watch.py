"""The view of a pipeline at work, and what a look that fails does to it."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError
from moto import mock_aws
from rich.console import Console
from typer.testing import CliRunner

from auto_lambda.aws.autoscaling import Capacity
from auto_lambda.aws.sqs import Depth, QueueUnusable
from auto_lambda_cli.app import app
from auto_lambda_cli.progress.snapshot import Running, Snapshot, Told
from auto_lambda_cli.progress.watch import blocks, follow, shown, view

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
IDLE = Snapshot(NOON, Depth(0, 0, 0), None, None, (), ())
BUSY = Snapshot(
    NOON,
    Depth(3, 2, 1),
    4,
    Capacity(5, 6, 7, 8),
    (Running("dev/shop", "build", 75.4, "w1"), Running("prod/[bold]", "verify", 5, "w2")),
    (Told("dev/old", "live", NOON, "https://shop.example/"), Told("dev/bad", "failed", NOON, "bad-config")),
)


def text(snapshot: Snapshot, problem: str | None = None, width: int = 120) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(view("bucket uploads on AWS", snapshot, problem, width))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_everything_that_goes_on_is_in_the_view() -> None:
    lines = [" ".join(line.split()) for line in text(BUSY).splitlines()]
    assert lines == [
        "2026-01-02 12:00:00 UTC bucket uploads on AWS",
        "queue 3 waiting, 2 in flight, 1 delayed, 4 dead letters",
        "workers 5 in service, 6 starting, 7 leaving, 8 wanted; 2 busy",
        "running step for worker",
        "dev/shop build 1:15 w1",
        "prod/[bold] verify 0:05 w2",
        "last status when (UTC) where or why",
        "dev/old live 01-02 12:00:00 https://shop.example/",
        "dev/bad failed 01-02 12:00:00 bad-config",
    ]


@pytest.mark.parametrize(
    ("width", "where"),
    [(60, ["dev/old  live    01-02 12:00:00  https://shop.example/"]), (45, ["    https://shop.example/"]),
     (24, ["    auto-lambda url old"])],
)  # fmt: skip
def test_a_url_is_never_broken_in_a_narrow_terminal(width: int, where: list[str]) -> None:
    assert set(where) <= set(text(BUSY, width=width).splitlines())


def test_what_is_not_known_is_not_made_up() -> None:
    idle = text(IDLE)
    assert "0 busy (idle ones are unknown" in idle
    assert "dead letters" not in idle
    assert "running" not in idle


def test_what_is_wrong_stands_below_what_was_seen_last() -> None:
    assert text(BUSY, "no network").splitlines()[-1] == "AWS says: no network; trying again"


class Ended(Exception):
    """Somebody has had enough."""


def pauses(count: int) -> Callable[[], None]:
    left = iter(range(count))

    def pause() -> None:
        if next(left, None) is None:
            raise Ended

    return pause


def test_a_look_that_fails_is_told_and_tried_again() -> None:
    looks: Iterator[Snapshot | Exception] = iter(
        [EndpointConnectionError(endpoint_url="http://x"), QueueUnusable("not now"), BUSY]
    )

    def look() -> Snapshot:
        if isinstance(found := next(looks), Exception):
            raise found
        return found

    told: list[tuple[Snapshot, str | None]] = []
    with pytest.raises(Ended):
        follow(look, lambda seen, problem: told.append((seen, problem)), pauses(3), IDLE)
    assert [seen for seen, _ in told] == [IDLE, IDLE, IDLE, BUSY]
    assert [bool(problem) for _, problem in told] == [False, True, True, False]


def test_off_a_terminal_there_is_a_block_for_each_change(capsys: pytest.CaptureFixture[str]) -> None:
    file = io.StringIO()
    show = blocks(Console(file=file, width=200), "uploads")
    for seen, problem in (
        (IDLE, None), (replace(IDLE, at=datetime(2026, 1, 3, tzinfo=UTC)), None), (IDLE, "no network"),
        (IDLE, "no network"), (BUSY, None),
    ):  # fmt: skip
        show(seen, problem)
    assert file.getvalue().count("uploads") == 2
    assert capsys.readouterr().err == "AWS says: no network; trying again\n"


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    for name in ("AWS_ENDPOINT_URL", "AUTO_LAMBDA_TABLE", "AUTO_LAMBDA_WORKER_GROUP"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        boto3.client("s3").create_bucket(Bucket="uploads")
        sqs = boto3.client("sqs")
        monkeypatch.setenv("AUTO_LAMBDA_QUEUE_URL", sqs.create_queue(QueueName="drops")["QueueUrl"])
        monkeypatch.setenv("AUTO_LAMBDA_DEAD_LETTER_QUEUE_URL", sqs.create_queue(QueueName="dead")["QueueUrl"])
        yield sqs


def watch(monkeypatch: pytest.MonkeyPatch, *arguments: str, looks: int = 2) -> Any:
    """Run it, and press Ctrl-C in place of the last pause."""
    left = iter(range(looks - 1))

    def sleep(_: float) -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt

    monkeypatch.setattr("auto_lambda_cli.progress.watch.time.sleep", sleep)
    return CliRunner().invoke(app, ["status", "--watch", "--bucket", "uploads", *arguments])


def test_json_is_a_line_a_look_until_ctrl_c(aws: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    done = watch(monkeypatch, "--json", looks=3)
    assert done.exit_code == 130
    assert done.stderr == ""
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["queue"]["dead_letters"] for line in lines] == [0, 0, 0]


def test_plainly_there_is_one_block_while_nothing_happens(aws: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    done = watch(monkeypatch, looks=3)
    assert (done.exit_code, done.stdout.count("0 waiting")) == (130, 1)


def test_a_failing_look_is_a_line_of_json_too(capsys: pytest.CaptureFixture[str]) -> None:
    with shown("uploads", as_json=True) as show:
        show(IDLE, "no network")
    assert json.loads(capsys.readouterr().out)["error"] == "no network"


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("AUTO_LAMBDA_QUEUE_URL", "", "AUTO_LAMBDA_QUEUE_URL is not set"),
        ("AUTO_LAMBDA_QUEUE_URL", "https://sqs.us-east-1.amazonaws.com/123456789012/typo", "no such queue"),
        ("AUTO_LAMBDA_WORKER_GROUP", "typo", "no Auto Scaling group typo"),
        ("AUTO_LAMBDA_TABLE", "typo", "no such table"),
    ],
)
def test_what_cannot_work_is_told_at_start(
    aws: Any, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, said: str
) -> None:
    monkeypatch.setenv(variable, value)
    done = watch(monkeypatch)
    assert done.exit_code == 2
    assert said in done.stderr


def test_one_app_or_all_of_it(aws: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert watch(monkeypatch, "--history", "shop").exit_code == 2

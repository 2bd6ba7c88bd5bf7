from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import boto3
import pytest
import typer.main
from moto import mock_aws
from tables import create_ledger
from typer.testing import CliRunner, Result

from auto_lambda.attempts import Attempt, OutcomeName
from auto_lambda.aws.dynamodb import Table
from auto_lambda.keys import App
from auto_lambda_cli.app import app


def simulate(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["simulate", *arguments])


def test_every_policy_has_its_row() -> None:
    answer = json.loads(simulate("burst", "--drops", "40", "--json").stdout)
    rows = {row["policy"]: row for row in answer["policies"]}
    assert list(rows) == ["clairvoyant", "prompt", "ours", "direct", "one-minute", "five-minute"]
    assert {row["drops"] for row in rows.values()} == {40}
    assert rows["clairvoyant"]["wait_p95"] == 0
    assert rows["ours"]["stopped_busy"] == 0


def test_new_apps_wait_for_the_quota_of_api_creation() -> None:
    told = [
        json.loads(simulate("burst", "--drops", "40", "--policy", "ours", "--json", *more).stdout)["policies"][0]
        for more in (
            [],
            ["--new-apis", "1"],
            ["--new-apis", "1", "--api-seconds", "30"],
            ["--new-apis", "1", "--api-seconds", "0"],
        )
    ]
    assert [row["put_off"] > 0 for row in told] == [False, True, True, False]
    assert told[0]["done_p95"] == told[3]["done_p95"] <= told[1]["done_p95"] < told[2]["done_p95"]
    shown = simulate("burst", "--drops", "40", "--policy", "ours", "--new-apis", "1").stdout
    assert "AWS would make no API yet" in shown


def test_the_table_is_for_people_and_the_same_seed_gives_the_same_one() -> None:
    one, again, other = (simulate("release", "--drops", "100", "--seed", seed).stdout for seed in ("1", "1", "2"))
    assert "wait p50" in one
    assert one == again != other


def test_a_recorded_load_brings_its_own_build_times(tmp_path: Path) -> None:
    path = tmp_path / "drops.csv"
    path.write_text("dropped,build_seconds\n0,10\n5,20\n")
    answer = json.loads(simulate(str(path), "--policy", "prompt", "--json").stdout)
    assert answer["policies"][0]["done_p95"] == pytest.approx(79.5)


def test_build_times_can_be_drawn_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "builds.csv"
    path.write_text("dropped,build_seconds\n0,33\n")
    answer = json.loads(
        simulate("steady", "--drops", "5", "--builds", str(path), "--policy", "clairvoyant", "--json").stdout
    )
    assert answer["policies"][0]["done_p95"] == pytest.approx(33)


@pytest.mark.parametrize("suffix", [".png", ".svg", ".html"])
def test_the_plot_is_what_its_name_says(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"plot{suffix}"
    result = simulate("burst", "--drops", "40", "--policy", "ours", "--plot", str(path), "--window", "0", "1")
    assert result.exit_code == 0
    begins = path.read_bytes()[:60]
    assert {".png": b"\x89PNG", ".svg": b"<?xml", ".html": b"<!doctype html>"}[suffix] in begins


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("nowhere.csv",), "neither a file nor one of the generated loads: steady, burst"),
        (("burst", "--policy", "best"), "no policy 'best'; there are: clairvoyant"),
        (("burst", "--builds", "slow"), "no distribution"),
        (("burst", "--min", "9", "--max", "3"), "--min 9 is more than --max 3"),
        (("burst", "--plot", "picture.gif"), ".png, .svg, .html"),
        (("burst", "--plot", "nowhere/picture.png"), "an existing folder"),
    ],
)
def test_what_can_not_work_is_told_in_a_line(arguments: tuple[str, ...], says: str) -> None:
    result = simulate(*arguments)
    assert result.exit_code == 2
    assert says in result.stderr


def test_a_file_of_drops_says_itself_how_many(tmp_path: Path) -> None:
    path = tmp_path / "drops.csv"
    path.write_text("dropped\nsoon\n")
    assert simulate(str(path), "--drops", "3").exit_code == 2
    result = simulate(str(path))
    assert result.exit_code == 2
    assert "line 2" in result.stderr
    assert "no build_seconds" in simulate("burst", "--builds", str(empty(tmp_path))).stderr


def test_every_option_is_in_the_reference() -> None:
    page = (Path(__file__).parents[5] / "docs/reference/simulate.md").read_text()
    command = typer.main.get_command(app).commands["simulate"].commands["fleet"]  # type: ignore[attr-defined]
    names = {name for parameter in command.params for name in parameter.opts if name.startswith("--")}
    assert {name for name in names if f"`{name}" not in page} == set()


def empty(folder: Path) -> Path:
    path = folder / "empty.csv"
    path.write_text("dropped\n")
    return path


@pytest.fixture
def ledger(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Table]:
    """The ledger of a pipeline that the environment names, empty."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    for name, value in {
        "AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_DEFAULT_REGION": "us-east-1",
        "AUTO_LAMBDA_UPLOADS_BUCKET": "uploads", "AUTO_LAMBDA_TABLE": "ledger",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    with mock_aws():
        client = boto3.client("dynamodb")
        create_ledger(client)
        yield Table(client, "ledger")


def tried(
    ledger: Table,
    app: str,
    *,
    hours_ago: float,
    waited: float,
    seconds: float | None,
    outcome: OutcomeName | None = "live",
) -> None:
    """One attempt, as the worker writes it."""
    started = datetime.now(UTC) - timedelta(hours=hours_ago)
    ended = started + timedelta(seconds=seconds) if seconds is not None else None
    sent = started - timedelta(seconds=waited)
    key = f"apps/dev/{app}.zip"
    attempt = Attempt(key, "v1", "w", 1, started, sent, ended, outcome if ended else None)
    ledger.write(attempt.put(App("dev", app), 1))


def test_the_ledger_tells_what_was_dropped_when_and_how_long_it_took(ledger: Table) -> None:
    tried(ledger, "one", hours_ago=3, waited=30, seconds=10)
    tried(ledger, "two", hours_ago=2, waited=5, seconds=20)
    result = simulate("--from-ledger", "--policy", "clairvoyant", "--json")
    assert result.exit_code == 0, result.stderr
    answer = json.loads(result.stdout)
    assert (answer["load"], answer["policies"][0]["drops"]) == ("ledger", 2)
    assert answer["policies"][0]["done_p95"] == pytest.approx(19.5)


def test_an_upload_that_was_tried_again_is_one_drop_with_its_last_whole_build(ledger: Table) -> None:
    tried(ledger, "shop", hours_ago=3, waited=0, seconds=900, outcome="delayed")
    tried(ledger, "shop", hours_ago=2, waited=3600, seconds=7, outcome="live")
    tried(ledger, "shop", hours_ago=1, waited=7200, seconds=1, outcome="handed back")
    (row,) = json.loads(simulate("--from-ledger", "--policy", "clairvoyant", "--json").stdout)["policies"]
    assert (row["drops"], row["done_p95"]) == (1, pytest.approx(7))


def test_what_runs_still_has_a_made_build_time(ledger: Table) -> None:
    tried(ledger, "shop", hours_ago=1, waited=0, seconds=None)
    arguments = ("--from-ledger", "--builds", "fixed:33", "--policy", "clairvoyant", "--json")
    assert json.loads(simulate(*arguments).stdout)["policies"][0]["done_p95"] == pytest.approx(33)


def test_a_made_load_takes_only_the_build_times_from_the_ledger(ledger: Table) -> None:
    tried(ledger, "shop", hours_ago=1, waited=0, seconds=77)
    arguments = ("steady", "--drops", "5", "--from-ledger", "--policy", "clairvoyant", "--json")
    (row,) = json.loads(simulate(*arguments).stdout)["policies"]
    assert (row["drops"], row["done_p95"]) == (5, pytest.approx(77))


def test_only_the_days_that_are_asked_for_count(ledger: Table) -> None:
    tried(ledger, "old", hours_ago=49, waited=0, seconds=5)
    assert (
        "nothing was uploaded to bucket uploads on AWS in the last 2 days"
        in simulate("--from-ledger", "--days", "2").stderr
    )
    tried(ledger, "new", hours_ago=47, waited=0, seconds=5)
    answer = simulate("--from-ledger", "--days", "2", "--policy", "prompt", "--json")
    assert json.loads(answer.stdout)["policies"][0]["drops"] == 1


@pytest.mark.parametrize(
    ("variable", "value", "arguments", "says"),
    [
        ("AUTO_LAMBDA_TABLE", "typo", (), "there is no such table"),
        ("AUTO_LAMBDA_TABLE", "", (), "AUTO_LAMBDA_TABLE is not set"),
        ("AUTO_LAMBDA_UPLOADS_BUCKET", "", (), "which pipeline?"),
        ("AUTO_LAMBDA_TABLE", "ledger", ("--drops", "3"), "not for recorded ones"),
    ],
)
def test_a_ledger_that_can_not_be_read_is_told_in_a_line(
    ledger: Table, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, arguments: tuple[str, ...], says: str
) -> None:
    tried(ledger, "shop", hours_ago=1, waited=0, seconds=5)
    monkeypatch.setenv(variable, value)
    result = simulate("--from-ledger", *arguments)
    assert (result.exit_code, says in result.stderr) == (2, True), result.stderr

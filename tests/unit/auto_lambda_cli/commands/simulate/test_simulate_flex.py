from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import typer.main
from click.testing import Result
from typer.testing import CliRunner

from auto_lambda_cli.app import app


def simulate(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["simulate", "flex", *arguments], catch_exceptions=False)  # type: ignore[return-value]


def test_the_three_strategies_are_compared() -> None:
    answer = json.loads(simulate("steady", "--days", "0.5", "--min-tasks", "12", "--json").stdout)
    rows = {row["strategy"]: row for row in answer["strategies"]}
    assert list(rows) == ["lambda", "fargate", "flex"]
    assert rows["lambda"]["on_fargate"] == 0 < rows["flex"]["on_fargate"] < rows["fargate"]["on_fargate"] == 1
    assert rows["fargate"]["month"] < rows["flex"]["month"] < rows["lambda"]["month"]
    assert re.fullmatch(r"\d{4}-\d\d", answer["prices"])


def test_people_get_a_table_the_break_even_and_a_warning() -> None:
    shown = simulate("office", "--days", "1").stdout
    assert "us-east-1" in shown
    assert "cost less than Lambda" in shown
    assert "raise min_tasks" in shown
    assert "raise min_tasks" not in simulate("office", "--days", "1", "--min-tasks", "6").stdout


def test_a_recording_is_searched_for_thresholds_that_pay(tmp_path: Path) -> None:
    file = tmp_path / "requests.csv"
    rows = "".join(f"{minute * 60},{6000 if 60 < minute < 300 else 60}\n" for minute in range(400))
    file.write_text(f"time,requests\n{rows}")
    answer = json.loads(simulate(str(file), "--search", "--json").stdout)
    assert len(answer["search"]) == 12
    assert answer["search"][0]["failed"] == 0


def test_a_plot_is_made(tmp_path: Path) -> None:
    assert simulate("office", "--days", "0.2", "--plot", str(tmp_path / "flex.svg")).exit_code == 0
    assert "requests per second" in (tmp_path / "flex.svg").read_text()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("nowhere",), "neither a file nor"),
        (("office", "--above", "10", "--below", "8"), "70 %"),
        (("office", "--min-tasks", "9", "--max-tasks", "3"), "more than --max-tasks"),
        (("office", "--plot", "/nowhere/x.png"), "existing folder"),
    ],
)
def test_what_is_wrong_is_said_at_once(arguments: tuple[str, ...], reason: str) -> None:
    result = simulate(*arguments)
    assert result.exit_code == 2
    assert reason in result.stderr


def test_the_page_has_every_option() -> None:
    page = (Path(__file__).parents[5] / "docs/reference/simulate.md").read_text()
    group = typer.main.get_command(app).commands["simulate"]  # type: ignore[attr-defined]
    options = {name for one in group.commands["flex"].params for name in one.opts if name.startswith("--")}
    part = page.partition("## auto-lambda simulate flex")[2]
    assert {name for name in options if f"`{name}" not in part} == set()

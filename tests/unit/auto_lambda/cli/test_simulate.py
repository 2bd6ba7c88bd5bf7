from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from auto_lambda.cli.app import app


def simulate(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["simulate", *arguments])


def test_every_policy_has_its_row() -> None:
    answer = json.loads(simulate("burst", "--drops", "40", "--json").stdout)
    rows = {row["policy"]: row for row in answer["policies"]}
    assert list(rows) == ["clairvoyant", "prompt", "ours", "direct", "one-minute", "five-minute"]
    assert {row["drops"] for row in rows.values()} == {40}
    assert rows["clairvoyant"]["wait_p95"] == 0
    assert rows["ours"]["stopped_busy"] == 0


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
        (("nowhere.csv",), "neither a file nor one of the made loads: steady, burst"),
        (("burst", "--policy", "best"), "no policy 'best'; there are: clairvoyant"),
        (("burst", "--builds", "slow"), "no distribution"),
        (("burst", "--min", "9", "--max", "3"), "--min 9 is more than --max 3"),
        (("burst", "--plot", "picture.gif"), ".png, .svg, .html"),
        (("burst", "--plot", "nowhere/picture.png"), "a folder that is there"),
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


def empty(folder: Path) -> Path:
    path = folder / "empty.csv"
    path.write_text("dropped\n")
    return path

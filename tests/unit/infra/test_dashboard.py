"""The dashboard, and its picture in the docs, which is drawn from the template and the metrics of a local run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from dashboard import PICTURES, Run, body, digest, draw, save
from PIL import Image
from pipeline_template import read_template


@pytest.fixture(scope="module")
def run() -> Run:
    return Run.read(PICTURES / "dashboard.json")


def test_every_widget_is_drawn_where_it_is(run: Run, tmp_path: Path) -> None:
    figure = draw(run)
    titles = {axes.get_title(loc="left") for axes in figure.axes}
    assert {one["properties"]["title"] for one in body()["widgets"] if "title" in one["properties"]} <= titles
    save(figure, tmp_path / "dashboard.png", run)
    with Image.open(tmp_path / "dashboard.png") as picture:
        assert picture.text["Description"] == digest(run)  # type: ignore[attr-defined]


def test_the_picture_in_the_docs_is_of_this_dashboard(run: Run) -> None:
    with Image.open(PICTURES / "dashboard.png") as picture:
        assert picture.text["Description"] == digest(run), "make pictures draws it"  # type: ignore[attr-defined]


def test_no_widget_covers_another() -> None:
    taken: set[tuple[int, int]] = set()
    for one in body()["widgets"]:
        cells = {(one["x"] + x, one["y"] + y) for x in range(one["width"]) for y in range(one["height"])}
        assert not cells & taken
        assert max(x for x, _ in cells) < 24
        taken |= cells


def test_the_alarm_that_rings_when_nothing_is_measured_comes_first_and_is_named() -> None:
    (widget,) = (one["properties"] for one in body()["widgets"] if one["type"] == "alarm")
    alarms = [name.removesuffix(".Arn") for name in widget["alarms"]]
    first, resources = alarms[0], read_template()["Resources"]
    assert [it for it in alarms if resources[it]["Properties"]["TreatMissingData"] == "breaching"] == [first]
    assert first in widget["title"]


def test_one_app_is_chosen_by_its_name_and_stage() -> None:
    text = json.dumps(body())
    assert "app-to-show" not in text.replace(json.dumps(body()["variables"]), "")
    queries = [one["properties"]["query"] for one in body()["widgets"] if one["type"] == "log"]
    assert any("upload like 'dev/hello@'" in query for query in queries)
    assert any("/aws/lambda/hello-dev" in query for query in queries)


def test_a_run_shows_codes_and_failures(run: Run) -> None:
    codes = {name.rpartition("=")[2] for name in run.series if " Failures Code=" in name}
    assert {"unhealthy", "no-framework"} <= codes
    assert {one["outcome"] for one in run.rows} >= {"live", "failed"}

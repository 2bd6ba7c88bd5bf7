"""A run of ``make e2e-aws``: what is begun, what a failure stops, what a resumed run does again, what is left."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from e2e_aws import perform as performing
from e2e_aws.model import Finding, Stage, StageFailed
from e2e_aws.perform import perform
from e2e_aws.place import Place
from e2e_aws.report import Report
from e2e_aws.run import Run, new_name

NAME = "e2e-0a1b2c3d"
PLACE = Place({}, "1" * 12, "eu-west-1")


@pytest.fixture
def left(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What each cleaning leaves, in turn; nothing once the list is empty. ``cleaned`` counts."""
    found: list[list[str]] = []
    monkeypatch.setattr(performing, "clean", lambda _: found.pop() if found else [])
    return found


def stage(name: str, *needs: str, do: Callable[[Run], Any] | None = None, again: bool = False) -> Stage:
    def found(_: Run) -> Iterator[Finding]:
        yield Finding(f"{name}-question", "yes")

    return Stage(name, name, 1, 1, needs, (f"{name}-question",), do or found, again=again)


def failing(_: Run) -> Iterator[Finding]:
    yield Finding("known", "before")
    raise StageFailed("it does not answer")


def report(folder: Path) -> Report:
    return Report(NAME, PLACE.account, PLACE.region, "1.0", rehearsal=False, folder=folder)


def run(folder: Path, said: list[str] | None = None) -> Run:
    told: list[str] = [] if said is None else said
    return Run(PLACE, NAME, folder, told.append)


def test_a_run_passes_if_every_stage_does_and_nothing_is_left(tmp_path: Path, left: list[list[str]]) -> None:
    told = report(tmp_path)
    assert perform(run(tmp_path), [stage("one"), stage("two", "one")], told)
    written = json.loads((tmp_path / "report.json").read_text())
    assert (written["fine"], written["left"], [it["status"] for it in written["stages"]]) == (True, [], ["passed"] * 2)
    assert "**two-question**: yes" in (tmp_path / "report.md").read_text()


def test_what_is_left_is_told_and_is_no_success(tmp_path: Path, left: list[list[str]]) -> None:
    left.append(["bucket forgotten"])
    assert not perform(run(tmp_path), [stage("one")], report(tmp_path))
    assert "- bucket forgotten" in (tmp_path / "report.md").read_text()


def test_what_needs_a_failed_stage_is_not_begun_and_the_rest_is(tmp_path: Path, left: list[list[str]]) -> None:
    told = report(tmp_path)
    stages = [stage("one", do=failing), stage("two", "one"), stage("three", "two"), stage("four")]
    assert not perform(run(tmp_path), stages, told)
    assert [it.status for it in told.stages.values()] == ["failed", "not begun", "not begun", "passed"]
    assert told.stages["one"].findings == [Finding("known", "before")]
    assert "it does not answer" in (tmp_path / "report.md").read_text()


def test_a_stage_that_says_nothing_about_one_of_its_questions_fails(tmp_path: Path, left: list[list[str]]) -> None:
    told = report(tmp_path)
    assert not perform(run(tmp_path), [stage("one", do=lambda _: [])], told)
    assert "one-question" in told.stages["one"].error


def test_a_question_that_cannot_be_answered_is_open_and_no_failure(tmp_path: Path, left: list[list[str]]) -> None:
    unknown = stage("one", do=lambda _: [Finding("one-question", None, "no such service")])
    assert perform(run(tmp_path), [unknown], report(tmp_path))
    assert "not answered: no such service" in (tmp_path / "report.md").read_text()


def test_an_error_of_the_runner_itself_is_a_failed_stage(tmp_path: Path, left: list[list[str]]) -> None:
    told = report(tmp_path)
    assert not perform(run(tmp_path), [stage("one", do=lambda _: [][0])], told)
    assert "IndexError" in told.stages["one"].error


def test_a_kept_run_is_continued_where_it_stopped(tmp_path: Path, left: list[list[str]]) -> None:
    left.append(["must not be cleaned"])
    said: list[str] = []
    first = [stage("launch", again=True), stage("one"), stage("two", "one", do=failing)]
    assert not perform(run(tmp_path, said), first, report(tmp_path), keep=True)
    assert left
    assert f"--resume {NAME}" in said[-1]
    left.clear()
    begun: list[str] = []

    def noted(name: str, **more: Any) -> Stage:
        def do(_: Run) -> list[Finding]:
            begun.append(name)
            return [Finding(f"{name}-question", "yes")]

        return stage(name, do=do, **more)

    continued = Report.read(tmp_path)
    assert perform(run(tmp_path), [noted("launch", again=True), noted("one"), noted("two")], continued)
    assert begun == ["launch", "two"]


def test_a_run_that_is_interrupted_is_cleaned(tmp_path: Path, left: list[list[str]]) -> None:
    def interrupted(_: Run) -> Iterator[Finding]:
        raise KeyboardInterrupt

    left.append([])
    with pytest.raises(KeyboardInterrupt):
        perform(run(tmp_path), [stage("one", do=interrupted)], report(tmp_path))
    assert not left
    assert Report.read(tmp_path).run == NAME


def test_only_names_of_runs_are_names_of_runs(tmp_path: Path) -> None:
    assert Run(PLACE, new_name(), tmp_path, print)
    for name in ("auto-lambda", "e2e", "e2e-0a1b2c3d-2", "prod", "e2e-shop"):
        with pytest.raises(ValueError, match="not the name of a run"):
            Run(PLACE, name, tmp_path, print)

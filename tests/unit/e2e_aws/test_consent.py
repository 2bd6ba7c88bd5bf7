"""Nothing is made on an account that was not named, and everybody is told beforehand what it takes."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from e2e_aws.consent import Refused, check_account, check_environ, estimate
from e2e_aws.stages import STAGES, chosen

ROOT = Path(__file__).parents[3]
FULL = {"AUTO_LAMBDA_E2E_ACCOUNT": "1" * 12, "AWS_PROFILE": "lab", "AWS_REGION": "eu-west-1"}
CALLER = f"arn:aws:iam::{'1' * 12}:role/lab"


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The program behind ``make e2e-aws``."""
    spec = importlib.util.spec_from_file_location("aws_run", ROOT / "tests/aws/__main__.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setattr(sys, "path", [*sys.path])
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", FULL)
def test_account_credentials_and_region_have_to_be_named(name: str) -> None:
    check_environ(FULL)
    with pytest.raises(Refused, match=name):
        check_environ({**FULL, name: ""})


def test_keys_do_instead_of_a_profile() -> None:
    check_environ({**FULL, "AWS_PROFILE": "", "AWS_ACCESS_KEY_ID": "AKIA"})


@pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"])
def test_another_endpoint_is_no_account(name: str) -> None:
    with pytest.raises(Refused, match="is not AWS"):
        check_environ({**FULL, name: "http://127.0.0.1:4566"})


def test_the_credentials_have_to_be_those_of_the_account_that_was_named() -> None:
    check_account(FULL, "1" * 12, CALLER)
    with pytest.raises(Refused, match="222222222222"):
        check_account(FULL, "2" * 12, CALLER)
    with pytest.raises(Refused, match="root user"):
        check_account(FULL, "1" * 12, f"arn:aws:iam::{'1' * 12}:root")


def test_the_program_names_all_that_is_missing_and_makes_nothing(
    program: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in FULL:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    monkeypatch.setattr(program.Place, "real", lambda: pytest.fail("asked AWS"))
    for arguments in ([], ["--yes"], ["--clean", "--yes"], ["--resume", "e2e-0a1b2c3d"]):
        assert program.main(arguments) == 2
        told = capsys.readouterr().err
        assert all(name in told for name in FULL)


def test_the_list_needs_no_account(program: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["--list"]) == 0
    told = capsys.readouterr().out
    assert all(f"  {stage.name}" in told for stage in STAGES)
    assert "together" in told
    assert program.main(["--list", "--json"]) == 0
    assert [it["stage"] for it in json.loads(capsys.readouterr().out)] == [stage.name for stage in STAGES]


def test_the_estimate_adds_up() -> None:
    told = estimate(STAGES)
    assert f"{sum(it.minutes for it in STAGES)} min" in told[-1]
    assert f"{sum(it.cents for it in STAGES) / 100:.2f}" in told[-1]


def test_a_stage_brings_what_it_needs() -> None:
    assert [it.name for it in chosen(["update"], rehearsal=False)] == ["launch", "deploy", "update"]
    given = {name: "x" for stage in STAGES for name in stage.wants}
    assert [it.name for it in chosen([], rehearsal=False, environ=given)] == [it.name for it in STAGES]
    assert {it.name for it in STAGES if not it.rehearsed}.isdisjoint(it.name for it in chosen([], rehearsal=True))
    assert "flex" not in [it.name for it in chosen([], rehearsal=False, environ={})], "it wants a domain"
    assert "flex" in [it.name for it in chosen([], rehearsal=True, environ={})]
    with pytest.raises(Refused, match="flex wants AUTO_LAMBDA_E2E_DOMAIN"):
        chosen(["flex"], rehearsal=False, environ={})
    with pytest.raises(Refused, match="no stage: flight"):
        chosen(["flight"], rehearsal=False)


def test_stages_come_after_those_that_they_need_and_ask_each_question_once() -> None:
    names = [it.name for it in STAGES]
    assert all(names.index(need) < names.index(it.name) for it in STAGES for need in it.needs)
    questions = [question for it in STAGES for question in it.questions]
    assert len(questions) == len(set(questions))

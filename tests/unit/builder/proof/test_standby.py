"""The proof's sandbox is entered ahead, and what is foreseen starts before it is known what it will be sent."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from building import make_source

from auto_lambda.errors import AppError, Code
from auto_lambda.tools import ToolEnvironments
from builder.model import Built, Foreseen
from builder.proof.cold_start import Prover
from builder.sandbox.sandbox import Command, Outcome, PlainSandbox

APP = """
import os
print("started with", os.environ.get("COLOR"), "in", os.environ["AWS_LAMBDA_FUNCTION_NAME"])
def handler(event, context):
    print("got", event)
    return {"statusCode": 200, "body": ""}
"""
RED = {"Environment": {"Variables": {"COLOR": "red"}}}
FORESEEN = Foreseen("Main", {"Handler": "app.handler", **RED})


def prove(proving: Any, ahead: Foreseen | bool, app: str = APP, **more: Any) -> tuple[Any, list[str]]:
    said: list[str] = []
    given = {"functions": {"Main": RED}, "first_event": {"path": "/"}, **more}
    proof = replace(proving, ahead=ahead)({"app.py": app}, said=said, **given)
    return proof, said


@pytest.mark.parametrize("ahead", [FORESEEN, True, False], ids=["foreseen", "standing by", "not ahead"])
@pytest.mark.parametrize("isolated", [True, False])
def test_an_app_starts_once_and_gets_its_event_whatever_was_known_ahead(
    proving: Any, isolated: bool, ahead: Foreseen | bool
) -> None:
    if not isolated:
        proving = replace(proving, sandbox=PlainSandbox())
    proof, said = prove(proving, ahead)
    assert proof.init_ms is not None
    assert [line for line in said if line.startswith(("started", "got"))] == [
        "started with red in Main",
        "got {'path': '/'}",
    ]


@pytest.mark.parametrize(
    "foreseen",
    [
        Foreseen("Main", {"Handler": "app.handler"}),
        Foreseen("Other", {"Handler": "app.handler", **RED}),
        Foreseen("Main", {"Handler": "app.other", **RED}),
        Foreseen("Main", {"Handler": "app.handler", "MemorySize": 512, **RED}),
    ],
)
def test_what_turns_out_to_be_another_is_started_anew_and_nothing_is_told_of_the_first(
    proving: Any, foreseen: Foreseen
) -> None:
    proof, said = prove(proving, foreseen)
    assert proof.init_ms is not None
    assert [line for line in said if line.startswith("started")] == ["started with red in Main"]


FAILING = {
    "an exception": "import nowhere\n" + APP,
    "an end": "import os; os._exit(3)\n" + APP,
    "an answer": APP.replace('return {"statusCode": 200', '1 / 0; return {"statusCode": 200'),
    "too much memory": "kept = bytearray(300_000_000)\n" + APP,
    "too much output": "print('x' * 5_000_000)\n" + APP,
}


@pytest.mark.parametrize("app", FAILING.values(), ids=FAILING)
def test_a_failure_is_the_same_one(tmp_path: Path, proving: Any, app: str) -> None:
    errors = []
    for ahead in (FORESEEN, False):
        folder = tmp_path / str(bool(ahead))
        with pytest.raises(AppError) as caught:
            prove(replace(proving, folder=folder), ahead, app)
        errors.append((caught.value.code, caught.value.hint, re.sub(r"used \d+", "used", caught.value.message)))
    assert errors[0] == errors[1]


def test_an_app_that_takes_too_long_is_stopped_ahead_as_well(proving: Any) -> None:
    with pytest.raises(AppError) as caught:
        prove(replace(proving, init_seconds=0.5), FORESEEN, "import time; time.sleep(60)\n" + APP)
    assert caught.value.code is Code.INIT_TOO_SLOW


def test_functions_that_need_more_than_stands_by_are_proven_by_another(proving: Any) -> None:
    proof, said = prove(proving, FORESEEN, functions={"Main": {**RED, "MemorySize": 10_240}})
    assert proof.init_ms is not None
    assert [line for line in said if line.startswith("started")] == ["started with red in Main"]


def test_other_functions_start_as_well(proving: Any) -> None:
    functions = {"Main": RED, "Other": {"Environment": {"Variables": {"COLOR": "blue"}}}}
    _, said = prove(proving, FORESEEN, functions=functions)
    assert sorted(line for line in said if line.startswith("started")) == [
        "started with blue in Other",
        "started with red in Main",
    ]


def stand_by(folder: Path, sandbox: Any) -> Any:
    (folder / "code").mkdir()
    (folder / "code" / "app.py").write_text(APP)
    (folder / "work").mkdir()
    prover = Prover(sandbox, ToolEnvironments())
    return prover.standby(Built(make_source(folder / "code"), "", None), folder / "work")


def test_a_server_that_is_not_asked_ends(tmp_path: Path, proving: Any) -> None:
    ended: list[Outcome] = []

    def run(command: Command, log: Any) -> Outcome:
        ended.append(proving.sandbox.run(command, log))
        return ended[-1]

    with stand_by(tmp_path, SimpleNamespace(run=run)) as standby:
        standby.begin(tmp_path / "code", FORESEEN)
    assert [one.ok for one in ended] == [True]


def test_nothing_of_the_app_can_say_what_is_started(tmp_path: Path) -> None:
    commands: list[Command] = []

    def run(command: Command, _: Any) -> Outcome:
        commands.append(command)
        return Outcome(0, "", 0)

    with stand_by(tmp_path, SimpleNamespace(run=run)) as standby:
        standby.begin(tmp_path / "code")
    told = tmp_path / "work" / "told"
    assert told in commands[0].readable
    assert not any(told.is_relative_to(folder) for folder in commands[0].writable)

"""A SAM template is expanded once, and anew when anything about it is another."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from building import make_parts, quiet

from auto_lambda.errors import AppError, Code
from auto_lambda.tools import interpreters
from builder.frameworks.chalice.sam import Expanded, expand_action, read_expanded
from builder.perform import ActionsHere
from builder.sandbox.sandbox import Command, Limits, Outcome, PlainSandbox

SAM: dict[str, Any] = {
    "AWSTemplateFormatVersion": "2010-09-09",
    "Transform": "AWS::Serverless-2016-10-31",
    "Outputs": {},
    "Resources": {
        "Handler": {
            "Type": "AWS::Serverless::Function",
            "Properties": {"Runtime": "python3.12", "Handler": "app.app", "CodeUri": "s3://code-goes-here/code"},
        }
    },
}


GOOD: dict[str, Any] = {
    "template": {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Resources": {"F": {"Type": "AWS::Lambda::Function", "Properties": {"Handler": "app.app"}}},
        "Outputs": {},
    },
    "main": "F",
    "url": None,
}


class Counting:
    """A sandbox that counts what it runs, within limits of one's choice."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.commands: list[Command] = []
        self._limits = limits

    def run(self, command: Command, say: Callable[[str], None]) -> Outcome:
        self.commands.append(command)
        limits = self._limits or command.limits
        return PlainSandbox().run(
            Command(command.argv, command.cwd, command.env, command.readable, command.writable, False, limits), say
        )


class Answering(Counting):
    """A sandbox whose command answers what it is told to."""

    def __init__(self, answer: Any) -> None:
        super().__init__()
        self._answer = answer

    def run(self, command: Command, say: Callable[[str], None]) -> Outcome:
        Path(command.argv[-1]).write_text(json.dumps(self._answer))
        return Outcome(0, "", 0.1)


class Expand:
    """Expands with one sandbox and one folder for results."""

    def __init__(self, tmp_path: Path) -> None:
        self.sandbox = Counting()
        self.kept = tmp_path / "kept"

    def __call__(
        self, sam: Any = SAM, tracing: bool = False, folder: Path | None = None, minor: str = "3.12"
    ) -> Expanded:
        actions = ActionsHere(folder or self.kept)
        make_parts(folder or self.kept, self.sandbox, actions=actions)
        return read_expanded(actions.run(expand_action(sam, tracing, minor), quiet).folder)

    @property
    def results(self) -> list[Path]:
        """The files that are kept."""
        return list(self.kept.glob("expand/*/*"))


@pytest.fixture
def expand(tmp_path: Path) -> Expand:
    return Expand(tmp_path)


def test_a_serverless_function_becomes_a_plain_one(expand: Expand) -> None:
    expanded = expand()
    assert (expanded.main, expanded.url) == ("Handler", None)
    assert expanded.template.Resources["Handler"].Type == "AWS::Lambda::Function"


def test_the_same_template_is_expanded_once(expand: Expand) -> None:
    first = expand()
    assert expand(json.loads(json.dumps(SAM))).model_dump_json() == first.model_dump_json()
    assert len(expand.sandbox.commands) == 1


def test_another_environment_expands_anew(expand: Expand) -> None:
    expand(minor="3.12")
    expand(minor=next(minor for minor in interpreters() if minor != "3.12"))
    assert len(expand.sandbox.commands) == 2


def test_anything_else_is_expanded_anew(expand: Expand, tmp_path: Path) -> None:
    other = json.loads(json.dumps(SAM))
    other["Resources"]["Handler"]["Properties"]["MemorySize"] = 256
    expand()
    assert expand(other).template.Resources["Handler"].Properties["MemorySize"] == 256
    expand(tracing=True)
    expand(folder=tmp_path / "elsewhere")
    assert len(expand.sandbox.commands) == 4


@pytest.mark.parametrize("spoilt", [b"", b"{}", b"\xff", b'{"template": {"Resources": {}}, "main": 1}'])
def test_a_result_that_is_no_template_is_refused(expand: Expand, spoilt: bytes) -> None:
    first = expand()
    (kept,) = expand.results
    assert read_expanded(kept.parent) == first
    kept.write_bytes(spoilt)
    with pytest.raises(AppError) as raised:
        read_expanded(kept.parent)
    assert raised.value.code == Code.RESULT_TAMPERED


def test_nothing_of_the_app_is_where_it_is_expanded(expand: Expand, tmp_path: Path) -> None:
    expand()
    (command,) = expand.sandbox.commands
    assert not command.network
    assert [path.name for path in command.readable if path.is_relative_to(tmp_path)] == ["request.json"]


def test_what_the_translator_refuses_is_said(expand: Expand) -> None:
    broken = json.loads(json.dumps(SAM))
    del broken["Resources"]["Handler"]["Properties"]["CodeUri"]
    with pytest.raises(AppError) as raised:
        expand(broken)
    assert raised.value.code == Code.COMPILE_FAILED
    assert "Handler" in raised.value.message
    assert expand.results == []


def test_a_resource_without_properties_has_none(expand: Expand) -> None:
    expanded = expand({**SAM, "Resources": {**SAM["Resources"], "Topic": {"Type": "AWS::SNS::Topic"}}})
    assert expanded.template.Resources["Topic"].Properties == {}


def test_more_than_a_template_can_be_is_the_uploads_fault(expand: Expand) -> None:
    topic = {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "x" * 9_000_000}}
    with pytest.raises(AppError) as raised:
        expand({**SAM, "Resources": {**SAM["Resources"], "Topic": topic}})
    assert raised.value.code == Code.RESULT_TAMPERED


@pytest.mark.parametrize(
    "answer",
    [
        [], None, "text", {}, {"error": 1}, {**GOOD, "main": None}, {**GOOD, "more": 1},
        {**GOOD, "url": "https://example.com"}, {**GOOD, "template": {**GOOD["template"], "Transform": "Include"}},
        {**GOOD, "template": {**GOOD["template"], "Resources": {"F": {"Properties": {}}}}},
    ],
)  # fmt: skip
def test_an_answer_of_another_shape_fails_the_app(expand: Expand, answer: Any) -> None:
    expand.sandbox = Answering(answer)
    with pytest.raises(AppError) as raised:
        expand()
    assert raised.value.code == Code.RESULT_TAMPERED
    assert expand.results == []


def test_a_good_answer_is_taken(expand: Expand) -> None:
    expand.sandbox = Answering(GOOD)
    assert expand().main == "F"


def nested(levels: int) -> dict[str, Any]:
    deep: dict[str, Any] = {}
    for _ in range(levels):
        deep = {"x": deep}
    return deep


@pytest.mark.parametrize(
    "variables", [{"A": "\udc80"}, {"A": {"\udc80": "a"}}, {"A": nested(300)}], ids=["a value", "a name", "300 levels"]
)
def test_what_cannot_be_said_as_json_is_the_uploads_fault(expand: Expand, variables: dict[str, Any]) -> None:
    topic = {"Type": "AWS::SNS::Topic", "Properties": variables}
    with pytest.raises(AppError):
        expand({**SAM, "Resources": {**SAM["Resources"], "Topic": topic}})
    assert expand.results == []


@pytest.mark.parametrize("sam", [{}, {"Resources": []}, {"Resources": {}}, {"Resources": {"F": 1}}])
def test_what_is_no_template_is_the_uploads_fault(expand: Expand, sam: dict[str, Any]) -> None:
    with pytest.raises(AppError):
        expand(sam)


def test_a_template_without_end_is_the_uploads_fault(expand: Expand) -> None:
    with pytest.raises(AppError) as raised:
        expand({**SAM, "Metadata": nested(100_000)})
    assert raised.value.code == Code.RESULT_TAMPERED


def test_a_translator_that_takes_too_long_is_stopped(expand: Expand) -> None:
    expand.sandbox = Counting(Limits(wall=0.05))
    with pytest.raises(AppError) as raised:
        expand()
    assert raised.value.code == Code.TOOK_TOO_LONG


def test_a_template_that_brings_the_translator_down_is_the_uploads_fault(expand: Expand) -> None:
    expand.sandbox = Counting(Limits(cpu=60, wall=60, file_size=40))  # it cannot write its answer
    with pytest.raises(AppError):
        expand()


def test_a_translator_that_never_began_is_our_failure(expand: Expand) -> None:
    class Broken(Counting):
        def run(self, command: Command, say: Callable[[str], None]) -> Outcome:
            return Outcome(1, "No module named samtranslator", 0.1)

    expand.sandbox = Broken()
    with pytest.raises(RuntimeError, match="No module named samtranslator"):
        expand()

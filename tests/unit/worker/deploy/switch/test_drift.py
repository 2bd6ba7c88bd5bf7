"""Repairing what was changed by hand stays within the app's own functions."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from drafts import Maker

from auto_lambda.aws.cloudformation import Stack
from auto_lambda.aws.lambda_ import Alias, Published, State
from worker.bundle.pointers import releases_of
from worker.deploy.switch.drift import Drift, missing

TAGS = {"auto-lambda:app": "shop", "auto-lambda:stage": "dev"}
VICTIMS = {"auto-lambda:app": "bank", "auto-lambda:stage": "prod"}
STACK = Stack("al-shop-dev", "stack-id", "UPDATE_COMPLETE", {}, TAGS)
ARN = "arn:aws:lambda:us-east-1:123456789012:function:"

with tempfile.TemporaryDirectory() as folder:
    BUNDLE = Maker(Path(folder)).bundle()
(RELEASE,) = releases_of(BUNDLE.template)
SETTINGS = {"Timeout": 3, "Environment": {"Variables": {"AUTO_LAMBDA_RELEASE": RELEASE.stamp}}}
POINTER, EARLIER = {"AutoLambdaVersionApi": "7"}, "ApiVersion0123456789ab"
"""How a stack says which version is live, today and in earlier days."""


class Aws:
    """A stack's resources and functions that were all changed by hand; notes what is written to."""

    def __init__(self, resources: dict[str, str], tags: dict[str, str] | None) -> None:
        self.listed = resources
        self.tagged = tags
        self.written: list[tuple[Any, ...]] = []

    def resources(self, _: str) -> dict[str, str]:
        return self.listed

    def look(self, function: str) -> tuple[State, dict[str, str]] | None:
        return None if self.tagged is None else (self.state(function), self.tagged)

    def state(self, function: str) -> State:
        released = function.rpartition(":")[2].isdecimal()
        return State("Active", "Successful", "", RELEASE.code_sha256 if released else "changed", SETTINGS)

    @property
    def versions(self) -> Aws:
        return self

    def of_function(self, function: str) -> list[Published]:
        state = self.state(f"{function}:7")
        return [Published("7", (), None, state.code_sha256, state.settings)]

    def alias(self, _: str, __: str) -> Alias:
        return Alias("1", weighted=False)

    def set_code(self, *given: Any) -> None:
        self.written.append(given)

    def set_settings(self, *given: Any) -> None:
        self.written.append(given)


def repaired(
    resources: dict[str, str], tags: dict[str, str] | None, parameters: dict[str, str] | None = None
) -> list[tuple[Any, ...]]:
    aws, stack = Aws(resources, tags), replace(STACK, parameters=parameters or {})
    drift = Drift(aws, aws)  # type: ignore[arg-type]
    missing(drift.look(stack, resources))
    drift.undo(stack, BUNDLE.template, BUNDLE.template, lambda _: None)
    return aws.written


@pytest.mark.parametrize(
    ("resources", "parameters"),
    [({}, POINTER), ({EARLIER: f"{ARN}al-shop-dev-Api-X:7"}, {})],
    ids=["by a parameter", "by a resource"],
)
def test_an_own_function_is_repaired(resources: dict[str, str], parameters: dict[str, str]) -> None:
    ((function, *_),) = repaired({"Api": "al-shop-dev-Api-X", **resources}, TAGS, parameters)
    assert function == "al-shop-dev-Api-X"


def test_one_that_nobody_is_led_to_yet_is_compared_with_the_template_of_its_stack() -> None:
    (code,) = repaired({"Api": "al-shop-dev-Api-X"}, TAGS)
    assert code[1:] == ("artifacts", BUNDLE.template["Resources"]["Api"]["Properties"]["Code"]["S3Key"])


@pytest.mark.parametrize("by_hand", [{}, {"Timeout": 77}], ids=["as it is", "changed by hand"])
def test_a_function_of_another_release_than_its_version_is_compared_with_the_template(by_hand: dict[str, Any]) -> None:
    """An update got as far as the function: that alone is no change by hand."""

    class Further(Aws):
        def state(self, function: str) -> State:
            released = function.rpartition(":")[2].isdecimal()
            return State("Active", "", "", "earlier" if released else RELEASE.code_sha256, {**SETTINGS, **by_hand})

    aws = Further({"Api": "al-shop-dev-Api-X"}, TAGS)
    Drift(aws, aws).undo(replace(STACK, parameters=POINTER), BUNDLE.template, BUNDLE.template, lambda _: None)  # type: ignore[arg-type]
    assert aws.written == ([("al-shop-dev-Api-X", {"Timeout": 3})] if by_hand else [])


def test_a_layer_that_was_made_anew_is_no_change() -> None:
    class Layers(Aws):
        def state(self, function: str) -> State:
            number = 1 if function.rpartition(":")[2].isdecimal() else 2
            settings = {**SETTINGS, "Layers": [f"arn:layer:al-shop-dev:{number}"]}
            return State("Active", "Successful", "", RELEASE.code_sha256, settings)

    aws = Layers({"Api": "al-shop-dev-Api-X"}, TAGS)
    stack = replace(STACK, parameters=POINTER)
    Drift(aws, aws).undo(stack, BUNDLE.template, BUNDLE.template, lambda _: None)  # type: ignore[arg-type]
    assert aws.written == []


@pytest.mark.parametrize(
    ("resources", "tags"),
    [
        pytest.param({"Api": "al-shop-dev-Api-X", EARLIER: f"{ARN}bank-prod:7"}, VICTIMS, id="a victim's version"),
        pytest.param({"Api": "al-shop-dev-Api-X", EARLIER: f"{ARN}bank-prod:7"}, TAGS, id="tagged as ours"),
        pytest.param({"Api": "bank-prod", EARLIER: f"{ARN}bank-prod:7"}, VICTIMS, id="under a victim's name"),
        pytest.param({"Api": "bank-prod", EARLIER: f"{ARN}bank-prod:7"}, {}, id="without tags"),
        pytest.param({EARLIER: f"{ARN}bank-prod:7"}, TAGS, id="no function of the stack"),
    ],
)
def test_a_victims_function_is_never_touched(resources: dict[str, str], tags: dict[str, str]) -> None:
    touched = {function for function, *_ in repaired(resources, tags)}
    assert touched <= ({"al-shop-dev-Api-X"} if tags == TAGS else set())


@pytest.mark.parametrize("tags", [VICTIMS, {}])
def test_nor_by_a_parameter(tags: dict[str, str]) -> None:
    assert repaired({"Api": "bank-prod"}, tags, POINTER) == []
    assert repaired({}, tags, POINTER) == []

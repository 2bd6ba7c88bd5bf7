"""Repairing what was changed by hand stays within the app's own functions."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from drafts import Maker

from auto_lambda.aws.cloudformation import Stack
from auto_lambda.aws.lambda_ import Alias, State
from worker.deploy.drift import Drift

TAGS = {"auto-lambda:app": "shop", "auto-lambda:stage": "dev"}
VICTIMS = {"auto-lambda:app": "bank", "auto-lambda:stage": "prod"}
STACK = Stack("al-shop-dev", "stack-id", "UPDATE_COMPLETE", {}, TAGS)
ARN = "arn:aws:lambda:us-east-1:123456789012:function:"

with tempfile.TemporaryDirectory() as folder:
    BUNDLE = Maker(Path(folder)).bundle()
VERSION = next(name for name in BUNDLE.template["Resources"] if name.startswith("ApiVersion"))


class Aws:
    """A stack's resources and functions that were all changed by hand; notes what is written to."""

    def __init__(self, resources: dict[str, str], tags: dict[str, str] | None) -> None:
        self.listed = resources
        self.tagged = tags
        self.written: list[tuple[Any, ...]] = []

    def resources(self, _: str) -> dict[str, str]:
        return self.listed

    def tags(self, _: str) -> dict[str, str] | None:
        return self.tagged

    def state(self, function: str) -> State | None:
        released = function.rpartition(":")[2].isdecimal()
        return State("Active", "Successful", "", "released" if released else "changed", {"Timeout": 3})

    def alias(self, _: str, __: str) -> Alias:
        return Alias("1", weighted=False)

    def set_code(self, *given: Any) -> None:
        self.written.append(given)

    def point(self, *given: Any) -> None:
        self.written.append(given)


def repaired(resources: dict[str, str], tags: dict[str, str] | None) -> list[tuple[Any, ...]]:
    aws = Aws(resources, tags)
    drift = Drift(aws, aws)  # type: ignore[arg-type]
    drift.missing(STACK)
    drift.undo(STACK, BUNDLE, lambda _: None)
    drift.point(STACK, lambda _: None)
    return aws.written


def test_an_own_function_is_repaired() -> None:
    code, alias = repaired({"Api": "al-shop-dev-Api-X", VERSION: f"{ARN}al-shop-dev-Api-X:7"}, TAGS)
    assert (code[0], alias) == (f"{ARN}al-shop-dev-Api-X", (f"{ARN}al-shop-dev-Api-X", "live", "7"))


@pytest.mark.parametrize(
    ("resources", "tags"),
    [
        pytest.param({"Api": "al-shop-dev-Api-X", VERSION: f"{ARN}bank-prod:7"}, VICTIMS, id="a victim's version"),
        pytest.param({"Api": "al-shop-dev-Api-X", VERSION: f"{ARN}bank-prod:7"}, TAGS, id="tagged as ours"),
        pytest.param({"Api": "bank-prod", VERSION: f"{ARN}bank-prod:7"}, VICTIMS, id="under a victim's name"),
        pytest.param({"Api": "bank-prod", VERSION: f"{ARN}bank-prod:7"}, {}, id="without tags"),
        pytest.param({VERSION: f"{ARN}bank-prod:7"}, TAGS, id="no function of the stack"),
    ],
)
def test_a_victims_function_is_never_touched(resources: dict[str, str], tags: dict[str, str]) -> None:
    assert repaired(resources, tags) == []

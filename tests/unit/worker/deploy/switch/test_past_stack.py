"""What goes past the stack is the app's own, is what was asked for, and else is left to the stack."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from drafts import HELLO, Maker, rest_template

from auto_lambda.aws.cloudformation import Stack
from auto_lambda.aws.lambda_ import Alias, Published, State
from worker.bundle import pointers
from worker.deploy.outlook import Standing
from worker.deploy.own_functions import own_functions
from worker.deploy.switch.past_stack import PastStack
from worker.deploy.switch.versions import ChangedMeanwhile

TAGS = {"auto-lambda:app": "shop", "auto-lambda:stage": "dev"}
VICTIMS = {"auto-lambda:app": "bank", "auto-lambda:stage": "prod"}
STACK = Stack("al-shop-dev", "stack-id", "UPDATE_COMPLETE", {}, TAGS, {"AutoLambdaVersionApi": "7"})
REFUSED = ClientError({"Error": {"Code": "InvalidParameterValueException", "Message": "too large"}}, "Update")

with tempfile.TemporaryDirectory() as folder:
    make = Maker(Path(folder))
    LIVE = make.bundle(environment={"COLOR": "red"}).template
    SLOW = make.bundle(rest_template(Timeout=9), environment={"COLOR": "red"}).template
    NEXT = make.bundle(code=HELLO + "#", environment={"COLOR": "blue"}).template
    CODE_ALONE = make.bundle(code=HELLO + "#", environment={"COLOR": "red"}).template


def state_of(template: dict[str, Any], **settings: Any) -> State:
    release, properties = pointers.release_of(template, "Api"), template["Resources"]["Api"]["Properties"]
    assert release
    known = {"Handler": "app.handler", "MemorySize": 128, "Timeout": properties.get("Timeout", 3), "Role": "arn:role"}
    return State(
        "Active", "Successful", "", release.code_sha256, {**known, "Environment": properties["Environment"], **settings}
    )


class Aws:
    """A function with version 7, and perhaps others; notes what is called."""

    def __init__(self, latest: State, tags: dict[str, str] = TAGS, **versions: State) -> None:
        self.latest = latest
        self.tags = tags
        self.published = {"7": state_of(LIVE), **{name.removeprefix("v"): it for name, it in versions.items()}}
        self.called: list[str] = []
        self.refuses = ""
        self.spoils = False

    @property
    def versions(self) -> Aws:
        return self

    def look(self, _: str) -> tuple[State, dict[str, str]]:
        return self.latest, self.tags

    def alias(self, _: str, __: str) -> Alias:
        return Alias("7", weighted=False)

    def of_function(self, _: str) -> list[Published]:
        found = {"$LATEST": self.latest, **self.published}
        return [Published(name, (), None, it.code_sha256, it.settings) for name, it in found.items()]

    def configure(self, function: str, settings: dict[str, Any], seen: State) -> State:
        assert seen is self.latest
        self._call("configure", function, *settings)
        self.latest = replace(self.latest, settings={**self.latest.settings, **settings})
        return self.latest

    def publish_code(self, function: str, bucket: str, key: str, seen: State) -> tuple[str, State]:
        assert seen is self.latest
        self._call("publish_code", function, bucket)
        code = "spoilt" if self.spoils else state_of(NEXT).code_sha256
        return "8", replace(self.latest, code_sha256=code)

    def publish(self, function: str, seen: State) -> str:
        assert seen is self.latest
        self._call("publish", function)
        return "8"

    def _call(self, *told: str) -> None:
        self.called.append(" ".join(told))
        if told[0] == self.refuses:
            raise REFUSED


def versions(
    aws: Aws, wanted: dict[str, Any], function: str = "al-shop-dev-Api-X", stack: Stack = STACK
) -> dict[str, str] | None:
    resources = {"Api": function}
    standing = Standing(stack, LIVE, resources, own_functions(stack, resources, aws))  # type: ignore[arg-type]
    return PastStack(aws).versions(standing, wanted, lambda _: None)  # type: ignore[arg-type]


CODE = ["configure al-shop-dev-Api-X Environment", "publish_code al-shop-dev-Api-X artifacts"]


def test_settings_then_code_and_its_version_in_one_call() -> None:
    aws = Aws(state_of(LIVE))
    assert (versions(aws, NEXT), aws.called) == ({"Api": "8"}, CODE)


def test_code_alone_is_one_call() -> None:
    aws = Aws(state_of(LIVE))
    assert (versions(aws, CODE_ALONE), aws.called) == ({"Api": "8"}, CODE[1:])


def test_settings_alone() -> None:
    aws = Aws(state_of(LIVE))
    assert versions(aws, SLOW) == {"Api": "8"}
    assert aws.called == ["configure al-shop-dev-Api-X Environment Timeout", "publish al-shop-dev-Api-X"]


def test_a_version_that_is_there_needs_no_call() -> None:
    aws = Aws(state_of(LIVE), v5=state_of(NEXT), v6=state_of(NEXT, Role="arn:of-a-role-that-was-replaced"))
    assert (versions(aws, NEXT), aws.called) == ({"Api": "5"}, [])


def test_what_was_changed_by_hand_is_replaced() -> None:
    by_hand = state_of(LIVE, Timeout=77, Environment={"Variables": {"COLOR": "spoilt"}})
    aws = Aws(replace(by_hand, code_sha256="spoilt"))
    assert versions(aws, NEXT) == {"Api": "8"}
    assert aws.called == [f"{CODE[0]} Timeout", CODE[1]]
    assert aws.latest.settings == state_of(NEXT).settings


@pytest.mark.parametrize(
    ("aws", "stack"),
    [
        pytest.param(Aws(state_of(LIVE, Role="arn:by-hand")), STACK, id="a role that was changed by hand"),
        pytest.param(Aws(state_of(LIVE), v7=state_of(SLOW)), STACK, id="a stack that is expanded"),
        pytest.param(Aws(state_of(LIVE)), replace(STACK, parameters={}), id="a stack that says no version"),
        pytest.param(Aws(state_of(LIVE), VICTIMS), STACK, id="a function of another app"),
        pytest.param(Aws(state_of(LIVE), {}), STACK, id="a function of nobody"),
    ],
)
def test_the_rest_goes_by_the_stack(aws: Aws, stack: Stack) -> None:
    assert (versions(aws, NEXT, stack=stack), aws.called) == (None, [])


@pytest.mark.parametrize("refuses", ["configure", "publish_code"])
def test_what_lambda_refuses_goes_by_the_stack_which_tells_the_uploader_why(refuses: str) -> None:
    aws = Aws(state_of(LIVE))
    aws.refuses = refuses
    assert versions(aws, NEXT) is None


def test_a_version_that_is_not_what_was_asked_for_is_not_used() -> None:
    aws = Aws(state_of(LIVE))
    aws.spoils = True
    with pytest.raises(ChangedMeanwhile):
        versions(aws, NEXT)

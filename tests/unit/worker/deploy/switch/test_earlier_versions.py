"""An earlier release is led to by versions that were its own, and by none that somebody published by hand."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from drafts import HELLO, Maker, rest_template
from simulated_aws import state_of

from auto_lambda.aws.cloudformation import Stack
from auto_lambda.aws.lambda_ import Alias, Published, State
from worker.deploy.outlook import Standing
from worker.deploy.own_functions import OwnFunction
from worker.deploy.switch.earlier_versions import earlier_versions

STACK = Stack("al-shop-dev", "stack-id", "UPDATE_COMPLETE", {}, {}, {})

with tempfile.TemporaryDirectory() as folder:
    make = Maker(Path(folder))
    WHITE = make.bundle().template
    BLACK = make.bundle(code=HELLO + "#").template
    IN_A_NETWORK = make.bundle(rest_template(VpcConfig={"SubnetIds": ["subnet-1"]}), code=HELLO + "#").template


def state(template: dict[str, Any], **settings: Any) -> State:
    made = state_of(template["Resources"]["Api"]["Properties"])
    return replace(made, settings={**made.settings, "Role": "arn:role", **settings})


def found(live: dict[str, Any], version: str, *versions: State) -> dict[str, str] | None:
    """What leads to white again, of versions that are numbered from 1 on."""
    told = tuple(
        Published(str(number), (), None, it.code_sha256, it.settings) for number, it in enumerate(versions, start=1)
    )
    latest = Published("$LATEST", (), None, versions[-1].code_sha256, versions[-1].settings)
    own = OwnFunction("Api", "al-shop-dev", version, versions[-1], Alias(version, weighted=False), (latest, *told))
    return earlier_versions(Standing(STACK, live, {"Api": "al-shop-dev"}, (own,)), WHITE)


def test_the_version_that_the_stack_says_is_live_is_the_one() -> None:
    """The stack is expanded already: its template is that of the release that has failed."""
    assert found(WHITE, "1", state(WHITE), state(WHITE), state(BLACK)) == {"Api": "1"}
    assert found(BLACK, "1", state(WHITE), state(WHITE, Role="arn:by-hand"), state(BLACK)) == {"Api": "1"}


def test_the_newest_is_it_where_the_stack_is_of_the_later_release() -> None:
    assert found(BLACK, "3", state(WHITE), state(WHITE), state(BLACK)) == {"Api": "2"}


@pytest.mark.parametrize("by_hand", [{"Timeout": 77}, {"Handler": "by.hand"}, {"Role": "arn:by-hand"}], ids=str)
def test_a_version_with_other_settings_is_somebodys(by_hand: dict[str, Any]) -> None:
    assert found(BLACK, "3", state(WHITE), state(WHITE, **by_hand), state(BLACK)) == {"Api": "1"}
    assert found(BLACK, "2", state(WHITE, **by_hand), state(BLACK)) is None


def test_where_not_all_settings_are_known_what_the_template_says_is_compared() -> None:
    live = state(IN_A_NETWORK)
    assert found(IN_A_NETWORK, "3", state(WHITE), state(WHITE, Timeout=77), live) == {"Api": "1"}


@pytest.mark.parametrize("versions", [(state(BLACK),), (state(BLACK), state(BLACK))])
def test_a_release_without_a_version_has_to_be_made_again(versions: tuple[State, ...]) -> None:
    assert found(BLACK, "1", *versions) is None


def test_a_function_that_the_stack_has_not_has_to_be_made_again() -> None:
    assert earlier_versions(Standing(STACK, BLACK, {}), WHITE) is None

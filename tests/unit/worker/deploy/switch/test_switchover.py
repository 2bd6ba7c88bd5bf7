"""A release is led to once it has answered, and whoever dies on the way leaves what another one finishes."""

from __future__ import annotations

from typing import Any

import pytest
from deployments import CRASH, World, ask
from drafts import resource, rest_template

from auto_lambda.errors import AppError, Code


class Killed(BaseException):
    """The worker dies."""


def kill(world: World, monkeypatch: pytest.MonkeyPatch, call: str, nth: int, *, after: bool) -> None:
    """Let the worker die at the n-th call of a client, before or after AWS has done it."""
    service, name = call.split(":")
    client = {"cloudformation": world.cloudformation, "lambda": world.lambda_}[service]
    real, seen = getattr(client, name), [0]

    def dying(**given: Any) -> Any:
        seen[0] += 1
        if seen[0] == nth and not after:
            raise Killed
        answer = real(**given)
        if seen[0] == nth:
            raise Killed
        return answer

    monkeypatch.setattr(client, name, dying)


STACK, CODE, SETTINGS = "execute_change_set", "update_function_code", "update_function_configuration"


@pytest.mark.parametrize(
    ("call", "nth", "after"),
    [(STACK, 1, True), (STACK, 2, False), (SETTINGS, 1, True), (CODE, 1, True), (CODE, 2, False), (SETTINGS, 2, False)],
)
def test_one_who_dies_while_an_unhealthy_release_is_taken_away(
    world: World, monkeypatch: pytest.MonkeyPatch, call: str, nth: int, after: bool
) -> None:
    """The second call of each kind goes back. A release with a queue goes by the stack, one without past it."""
    template = rest_template()
    if call == STACK:
        template["Resources"]["Queue"] = resource("SQS::Queue")
    before, broken = world.make.bundle(), world.make.bundle(template, CRASH)
    first = world.deploy(before)
    with monkeypatch.context() as patched:
        kill(world, patched, f"{'cloudformation' if call == STACK else 'lambda'}:{call}", nth, after=after)
        with pytest.raises(Killed):
            world.deploy(broken, before.template_key)
    known = AppError(Code.UNHEALTHY, "it failed", hint="") if nth == 2 else None
    with pytest.raises(AppError) as caught:
        world.deploy(broken, before.template_key, known_failure=known)
    assert caught.value.code is Code.UNHEALTHY
    assert world.restored
    assert (world.live(first.function), world.restored.version) == ("1", "1")
    assert ask(first.url).startswith("white")
    assert world.versions(first.function) == ["1", "2"]
    latest, live = (world.lambda_.get_function_configuration(FunctionName=first.function, **more)
                    for more in ({}, {"Qualifier": "1"}))  # fmt: skip
    assert (latest["CodeSha256"], latest["Environment"]) == (live["CodeSha256"], live["Environment"])

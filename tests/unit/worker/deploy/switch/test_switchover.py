"""A release is led to once it has answered, and whoever dies on the way leaves what another one finishes."""

from __future__ import annotations

from typing import Any

import pytest
from deployments import CRASH, World, ask
from drafts import HELLO

from auto_lambda.errors import AppError, Code

BLACK = HELLO.replace('"white"', '"black"')


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


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("nth", [1, 2])
def test_one_who_dies_while_an_unhealthy_release_is_taken_away(
    world: World, monkeypatch: pytest.MonkeyPatch, nth: int, after: bool
) -> None:
    before, broken = world.make.bundle(), world.make.bundle(code=CRASH)
    first = world.deploy(before)
    with monkeypatch.context() as patched:
        kill(world, patched, "cloudformation:execute_change_set", nth, after=after)
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

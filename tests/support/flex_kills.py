"""A way up and down of one app, with a controller that dies at one of its calls; the world judges where it went."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, ConnectTimeoutError, ReadTimeoutError
from flex_stack import FlexApp
from killing import Killed, Killer

KILLED_WAY: Sequence[tuple[str, int]] = (("both", 0), ("both", 100), ("fargate", 100), ("both", 0), ("lambda", 0))
"""Where the app is after each transition."""
_MINUTES = 40
Way = tuple[bool, Callable[[str], BaseException]]


def _refused(code: str) -> Callable[[str], BaseException]:
    return lambda name: ClientError({"Error": {"Code": code, "Message": "a test"}}, name)


KILLS: Sequence[Way] = ((False, Killed), (True, Killed))
FAULTS: Sequence[Way] = (
    (False, _refused("ThrottlingException")),
    (False, _refused("AccessDenied")),
    (False, lambda _: ConnectTimeoutError(endpoint_url="https://aws")),
    (True, lambda _: ReadTimeoutError(endpoint_url="https://aws")),
)


def journey(client: Callable[[str], Any], name: str, killer: Killer) -> list[tuple[str, int]]:
    """Go up while demand is high, and down while it is low, and return where the app was, one after the other."""
    app = FlexApp(client, name).make()
    seen = [app.at()]
    try:
        for demand, end in (("high", ("fargate", 100)), ("low", ("lambda", 0))):
            app.demand(demand)
            for _ in range(_MINUTES):
                with suppress(Killed, ClientError, BotoCoreError):
                    app.minute(killer)
                if app.at() != seen[-1]:
                    seen.append(app.at())
                if app.at() == end:
                    break
        app.settle()  # a controller that died has not waited for its last update
        weights = app.weights()
        assert weights == {"lambda": 100}, weights
    finally:
        app.delete()
    return seen[1:]


def same_end(seen: Sequence[tuple[str, int]]) -> bool:
    return tuple(seen) == tuple(KILLED_WAY)


def kills_of_a_way(
    client: Callable[[str], Any], name: str, every: int = 1, ways: Sequence[Way] = KILLS
) -> Iterator[tuple[Killer, str]]:
    """Each way to die on the way: at every transition, and in turn at every so-many-th call of the others."""
    unharmed = Killer(reads=True)
    journey(client, name, unharmed)
    for at, call in enumerate(unharmed.calls, 1):
        if call == "UpdateStack" or at % every == 0:
            all_of_them = every == 1 or (call == "UpdateStack" and ways is KILLS)
            for after, error in ways if all_of_them else [ways[at % len(ways)]]:
                what = f"{call}, the {at}th call, {'after' if after else 'before'}: {error(call)!r}"
                yield Killer(at, after=after, error=error, reads=True), what

"""Asks an app's authorizers who may call what, and keeps their decisions as long as API Gateway would."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from entrypoint.bridge import answers, events
from entrypoint.bridge.answers import BridgeAnswer
from entrypoint.bridge.front import Authorizer, Front, Match
from entrypoint.bridge.policy import verdict
from entrypoint.bridge.requests import HttpRequest
from entrypoint.bridge.workers import HandlerFailed, HandlerTooSlow

MOST_DECISIONS = 10_000
"""That are kept; more, and the oldest go."""

_REFUSES = re.compile(r'"errorMessage":\s*"Unauthorized"')


class Pool(Protocol):
    """Processes of one handler."""

    async def invoke(self, event: Mapping[str, Any], seconds: float) -> Any:
        """Return what the handler returns for an event."""


class Authorizers:
    """The authorizers of one app.

    Args:
        front: names them.
        pools: their processes, by handler.
        seconds: that a decision may take at most.
        clock: seconds that only grow.
    """

    def __init__(
        self, front: Front, pools: Mapping[str, Pool], seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._front = front
        self._pools = pools
        self._seconds = seconds
        self._clock = clock
        self._kept: dict[tuple[str, str], tuple[float, Mapping[str, Any]]] = {}

    async def decide(self, request: HttpRequest, match: Match, name: str) -> BridgeAnswer | Mapping[str, Any]:
        """Return what an authorizer says of a caller, or the answer to one who may not call.

        Args:
            request: of the caller.
            match: where it leads.
            name: of the authorizer.
        """
        authorizer = self._front.authorizers[name]
        # All of them: an authorizer that knows one is not to speak for an app that reads another.
        token = ", ".join(request.grouped().get(authorizer.header.lower(), ()))
        if not token or (authorizer.pattern and not re.fullmatch(authorizer.pattern, token)):
            return answers.UNAUTHORIZED
        decision = self._known(name, token)
        if decision is None:
            asked = await self._asked(authorizer, events.authorization(request, self._front, match, token))
            if isinstance(asked, BridgeAnswer):
                return asked
            decision = self._keep(name, token, asked, authorizer.ttl)
        # Kept or new, it is about the calls that its policy names, not about the one for which it was made.
        said = verdict(decision["policyDocument"], events.method_arn(request, self._front, match))
        if said == "allowed":
            return answers.context_of(decision)
        return answers.EXPLICIT_DENY if said == "denied" else answers.IMPLICIT_DENY

    async def _asked(self, authorizer: Authorizer, event: Mapping[str, Any]) -> BridgeAnswer | Mapping[str, Any]:
        seconds = min(authorizer.timeout, self._seconds)
        try:
            decision = await self._pools[authorizer.handler].invoke(event, seconds)
        except HandlerFailed as failure:
            return answers.UNAUTHORIZED if _REFUSES.search(str(failure)) else answers.AUTHORIZER_FAILED
        except HandlerTooSlow:
            return answers.AUTHORIZER_FAILED
        if not isinstance(decision, dict) or not isinstance(decision.get("policyDocument"), dict):
            return answers.AUTHORIZER_IS_WRONG
        return decision

    def _known(self, name: str, token: str) -> Mapping[str, Any] | None:
        until, decision = self._kept.get((name, token), (0.0, None))
        return decision if decision is not None and self._clock() < until else None

    def _keep(self, name: str, token: str, decision: Mapping[str, Any], ttl: int) -> Mapping[str, Any]:
        if ttl > 0:
            self._kept.pop((name, token), None)
            self._kept[name, token] = (self._clock() + ttl, decision)
        while len(self._kept) > MOST_DECISIONS:
            del self._kept[next(iter(self._kept))]
        return decision

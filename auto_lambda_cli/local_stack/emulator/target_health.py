"""The health of a load balancer's targets, as Elastic Load Balancing judges it. Pure: the caller asks the targets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

Target = tuple[str, str, int]  # target group, address, port

EAGER = 0.5
"""Seconds between two checks of a target that has never been healthy; on AWS, the group's interval."""


@dataclass(frozen=True, slots=True)
class CheckSettings:
    """How a group checks: seconds between two checks, and how many alike in a row change a target's state."""

    interval: float = 30.0
    healthy: int = 5
    unhealthy: int = 2


@dataclass(slots=True)
class TargetState:
    """What is known of one target, and when it is to be asked again."""

    registered: float
    state: str = "initial"
    due: float = 0.0
    good: int = 0
    bad: int = 0
    drained: float = 0.0

    def judge(self, answered: bool, settings: CheckSettings, now: float) -> None:
        """Take an answer. One is enough for a new target, which has as long to start as failing takes on AWS."""
        self.good, self.bad = (self.good + 1, 0) if answered else (0, self.bad + 1)
        new = self.state == "initial"
        if answered and (new or self.good >= settings.healthy):
            self.state = "healthy"
        elif not answered:
            late = now - self.registered >= settings.interval * settings.unhealthy
            if late if new else self.bad >= settings.unhealthy:
                self.state = "unhealthy"
        self.due = now + (EAGER if self.state == "initial" else settings.interval)


@dataclass
class TargetTable:
    """The targets of all groups."""

    states: dict[Target, TargetState] = field(default_factory=dict)

    def register(self, targets: Iterable[Target], now: float) -> None:
        """Add targets. One that drains is new again."""
        for target in targets:
            known = self.states.get(target)
            if known is None or known.state == "draining":
                self.states[target] = TargetState(now)

    def deregister(self, targets: Iterable[Target], delay: float, now: float) -> None:
        """Let targets drain: they get no new request, and are gone after the group's delay in seconds."""
        for target in targets:
            known = self.states.get(target)
            if known and known.state != "draining":
                known.state, known.drained = "draining", now + delay

    def due(self, now: float) -> Iterator[Target]:
        """Yield the targets to ask now; those that have drained are forgotten."""
        for target, known in list(self.states.items()):
            if known.state == "draining":
                if now >= known.drained:
                    del self.states[target]
            elif now >= known.due:
                yield target

    def answered(self, target: Target, good: bool, settings: CheckSettings, now: float) -> None:
        """Take a target's answer, unless it has left in the meantime."""
        known = self.states.get(target)
        if known and known.state != "draining":
            known.judge(good, settings, now)

    def of(self, group: str) -> Mapping[Target, str]:
        """Return the state of each target of a group."""
        return {target: known.state for target, known in self.states.items() if target[0] == group}

    def serving(self, group: str) -> list[Target]:
        """Return the targets that get requests: the healthy ones; without any, all that do not drain."""
        states = self.of(group)
        healthy = [target for target, state in states.items() if state == "healthy"]
        return healthy or [target for target, state in states.items() if state != "draining"]

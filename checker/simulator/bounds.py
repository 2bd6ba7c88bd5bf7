"""What no real policy can beat: fleets that know more than anybody can.

Both take jobs first come, first served, on machines that boot as slowly as everybody's, and start from nothing.

`clairvoyant` knows every drop beforehand and boots ahead, so that machines are ready when drops fall: nothing waits
unless the largest fleet is full. No policy has shorter waits, whatever it spends.

`prompt` knows a drop the instant it falls, not before, and exactly how long every build takes. It takes the machine
that is free soonest, and orders another one exactly when that would be ready sooner. It keeps an idle machine exactly
when the next job for it comes within the time to boot, since booting again would cost no less. This is what a policy
that reacts can hope for: its waits are those that are left when detection costs nothing and nothing is wasted.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

from checker.simulator.model import Arrival, Fleet, SimulatedJob, SimulatedMachine, SimulationOutcome


@dataclass(slots=True)
class _Host:
    """A machine and, for each of its slots, the time from which on it is free."""

    ordered: float
    ready: float
    free: list[float]
    until: float = 0.0
    """When it has nothing more to do, as far as is known."""

    def take(self, start: float, seconds: float) -> None:
        slot = self.free.index(min(self.free))
        self.free[slot] = start + seconds
        self.until = max(self.until, start + seconds)

    def machine(self) -> SimulatedMachine:
        return SimulatedMachine(self.ordered, self.ready, self.until)


def clairvoyant(drops: Sequence[Arrival], fleet: Fleet) -> SimulationOutcome:
    """Boot ahead of every drop. Machines may be ordered before the run begins."""
    starts = _earliest_starts(drops, fleet.largest * fleet.slots)
    alive: list[_Host] = []
    gone: list[_Host] = []
    for drop, start in zip(drops, starts, strict=True):
        gone += [host for host in alive if host.until < start - fleet.boot]
        alive = [host for host in alive if host.until >= start - fleet.boot]
        fit = [host for host in alive if min(host.free) <= start]
        host = max(fit, key=lambda one: one.until, default=None)
        if host is None:
            host = _Host(start - fleet.boot, start, [start] * fleet.slots)
            alive.append(host)
        host.take(start, drop.seconds)
    return _outcome("clairvoyant", drops, starts, gone + alive)


def _earliest_starts(drops: Sequence[Arrival], slots: int) -> list[float]:
    """When each would start with ``slots`` that are always there."""
    free = [float("-inf")] * slots
    starts = []
    for drop in drops:
        start = max(drop.at, heapq.heappop(free))
        heapq.heappush(free, start + drop.seconds)
        starts.append(start)
    return starts


def prompt(drops: Sequence[Arrival], fleet: Fleet) -> SimulationOutcome:
    """Order a machine the instant that it is needed."""
    alive: list[_Host] = []
    gone: list[_Host] = []
    starts = []
    for drop in drops:
        gone += [host for host in alive if host.until < drop.at - fleet.boot]
        alive = [host for host in alive if host.until >= drop.at - fleet.boot]
        host = _soonest(alive, drop.at, fleet)
        if host is None:
            ready = drop.at + fleet.boot
            host = _Host(drop.at, ready, [ready] * fleet.slots, ready)
            alive.append(host)
        start = max(drop.at, min(host.free))
        host.take(start, drop.seconds)
        starts.append(start)
    return _outcome("prompt", drops, starts, gone + alive)


def _soonest(alive: Sequence[_Host], now: float, fleet: Fleet) -> _Host | None:
    """The machine to wait for: a free one, else the one that is free soonest; None when a new one is there sooner."""
    free = [host for host in alive if min(host.free) <= now]
    if free:
        return max(free, key=lambda one: one.until)
    soonest = min(alive, key=lambda one: min(one.free), default=None)
    if soonest is None or (min(soonest.free) > now + fleet.boot and len(alive) < fleet.largest):
        return None
    return soonest


def _outcome(name: str, drops: Sequence[Arrival], starts: Sequence[float], hosts: Sequence[_Host]) -> SimulationOutcome:
    jobs = tuple(SimulatedJob(drop, start, start + drop.seconds) for drop, start in zip(drops, starts, strict=True))
    machines = tuple(sorted((host.machine() for host in hosts), key=lambda machine: machine.ordered))
    return SimulationOutcome(name, jobs, machines, ended=max((machine.stopped for machine in machines), default=0.0))

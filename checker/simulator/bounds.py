"""Bounds that no real policy can beat, because they know more than a policy can.

Both serve jobs in order of arrival, on machines with the same boot time, and start with none.

`clairvoyant` knows every drop in advance and boots ahead, so that machines are ready when drops arrive: nothing waits
unless the largest fleet is full. No policy has shorter waits, at any cost.

`prompt` knows a drop the moment it arrives, and exactly how long every build takes. It uses the machine that is free
soonest, and launches another one only if that would be ready sooner. It keeps an idle machine only if the next job for
it arrives within the boot time, since booting again would cost no less. This is the best that a reactive policy can do:
its waits remain if detection costs nothing and nothing is wasted.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

from checker.simulator.model import Arrival, Fleet, SimulatedJob, SimulatedMachine, SimulationOutcome


@dataclass(slots=True)
class _Host:
    """A machine and, for each of its slots, the time from which it is free."""

    ordered: float
    ready: float
    free: list[float]
    until: float = 0.0
    """The time at which it becomes idle, as far as is known."""

    def take(self, start: float, seconds: float) -> None:
        slot = self.free.index(min(self.free))
        self.free[slot] = start + seconds
        self.until = max(self.until, start + seconds)

    def machine(self) -> SimulatedMachine:
        return SimulatedMachine(self.ordered, self.ready, self.until)


def clairvoyant(drops: Sequence[Arrival], fleet: Fleet) -> SimulationOutcome:
    """Boot ahead of every drop. Machines may be launched before the run begins."""
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
    """Return when each job would start if there were always ``slots``."""
    free = [float("-inf")] * slots
    starts = []
    for drop in drops:
        start = max(drop.at, heapq.heappop(free))
        heapq.heappush(free, start + drop.seconds)
        starts.append(start)
    return starts


def prompt(drops: Sequence[Arrival], fleet: Fleet) -> SimulationOutcome:
    """Launch a machine the moment that it is needed."""
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
    """Return a free machine, else the one that is free soonest; None if a new one would be ready sooner."""
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

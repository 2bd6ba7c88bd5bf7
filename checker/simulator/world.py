"""Queue, machines and group as a SimPy world. The number of machines is decided elsewhere."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Generator, Sequence
from typing import Any

import simpy

from checker.simulator.model import Arrival, Fleet, SimulatedJob, SimulatedMachine

Process = Generator[simpy.Event, Any, None]
RESUMED_SECONDS = 10.0
"""What a build takes that was put off once it was done: only the deployment is left."""
THROTTLED_LEAST, THROTTLED_FIRST, THROTTLED_LAST = 30.0, 60.0, 900.0
"""Seconds that throttled work waits: at least, at most the first time, and at most in the end. A worker's defaults."""


class _Work:
    """A drop in progress. ``started`` is None while it is in the queue or hidden."""

    def __init__(self, drop: Arrival) -> None:
        self.drop = drop
        self.started: float | None = None
        self.finished: float | None = None
        self.interrupted = 0
        self.put_offs = 0

    @property
    def seconds(self) -> float:
        return min(self.drop.seconds, RESUMED_SECONDS) if self.put_offs else self.drop.seconds

    def job(self) -> SimulatedJob:
        return SimulatedJob(self.drop, self.started, self.finished, self.interrupted, self.put_offs)


class _Host:
    """A machine of the group in progress."""

    def __init__(self, ordered: float) -> None:
        self.ordered = ordered
        self.ready: float | None = None
        self.stopped: float | None = None
        self.busy: dict[_Work, simpy.Process] = {}
        self.idle_since: float | None = None


class World:
    """A group of machines that receive drops from a queue, in order of arrival.

    Args:
        drops: the drops, ordered by time.
        fleet: the machines.
        protect: busy machines are protected from scale-in, as in
            https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-instance-protection.html:
            the desired capacity is lowered at once, the machine terminates when it is idle.
        idle: seconds after which an idle machine terminates and lowers the desired capacity; None: never.
        first: the minimum of those seconds for a machine's first drop.
        seed: the seed of random choices: which idle worker gets a message, which machine is scaled in.
    """

    def __init__(
        self,
        drops: Sequence[Arrival],
        fleet: Fleet,
        *,
        protect: bool,
        idle: float | None,
        first: float = 0.0,
        seed: int,
    ) -> None:
        self.env = simpy.Environment()
        self.fleet = fleet
        self.desired = fleet.smallest
        self.killed = 0
        self.done = self.env.event()
        self.build_seconds: deque[float] = deque(maxlen=100)
        self._protect = protect
        self._idle = idle
        self._first = first
        self._random = random.Random(seed)  # noqa: S311 - a simulation
        self._queue: deque[_Work] = deque()
        self._works = [_Work(drop) for drop in drops]
        self._hosts: list[_Host] = []
        self._gone: list[_Host] = []
        self._left = len(drops)
        self._in_flight = 0
        self._next_api = 0.0
        self.env.process(self._arrive())
        self._reconcile()

    @property
    def visible(self) -> int:
        """The number of visible messages."""
        return len(self._queue)

    @property
    def in_flight(self) -> int:
        """The number of messages that are processed, or hidden after their worker was stopped."""
        return self._in_flight

    @property
    def booting(self) -> int:
        """The number of starting machines."""
        return sum(host.ready is None for host in self._hosts)

    def in_service(self, warmup: float = 0.0) -> int:
        """Return the number of machines in service for at least ``warmup`` seconds."""
        return sum(host.ready is not None and self.env.now - host.ready >= warmup for host in self._hosts)

    def set_desired(self, count: int) -> None:
        """Launch or terminate machines until there are ``count``, within the fleet's limits."""
        self.desired = min(max(count, self.fleet.smallest), self.fleet.largest)
        self._reconcile()

    def settled(self) -> bool:
        """Tell whether all drops are done and the fleet has its minimum size."""
        return self._left == 0 and len(self._hosts) <= self.fleet.smallest

    def jobs(self) -> tuple[SimulatedJob, ...]:
        """Return every drop and its build."""
        return tuple(work.job() for work in self._works)

    def machines(self) -> tuple[SimulatedMachine, ...]:
        """Return every machine, in order of launch; those that still run are stopped now."""
        now = self.env.now
        hosts = sorted([*self._gone, *self._hosts], key=lambda host: host.ordered)
        ends = [(host, now if host.stopped is None else host.stopped) for host in hosts]
        return tuple(
            SimulatedMachine(host.ordered, end if host.ready is None else host.ready, end) for host, end in ends
        )

    def _arrive(self) -> Process:
        for work in self._works:
            yield self.env.timeout(max(0.0, work.drop.at - self.env.now))
            self._enqueue(work)
        if not self._works:
            self._check()

    def _enqueue(self, work: _Work) -> None:
        self._queue.append(work)
        self._dispatch()

    def _dispatch(self) -> None:
        """Deliver messages to random free slots while there are both."""
        while self._queue:
            free = [host for host in self._hosts if host.ready is not None and len(host.busy) < self.fleet.slots]
            if not free:
                return
            host = self._random.choice(free)
            work = self._queue.popleft()
            host.idle_since = None
            self._in_flight += 1
            host.busy[work] = self.env.process(self._build(host, work))

    def _build(self, host: _Host, work: _Work) -> Process:
        # The clock adds up delays, so it may be short of the drop by a rounding error.
        work.started = max(self.env.now, work.drop.at)
        try:
            yield self.env.timeout(work.seconds)
        except simpy.Interrupt:
            work.started = None
            work.interrupted += 1
            yield self.env.timeout(self.fleet.visibility)
            self._in_flight -= 1
            self._enqueue(work)
            return
        self.build_seconds.append(work.seconds)
        self._in_flight -= 1
        if self._may_deploy(work):
            work.finished = self.env.now
            self._left -= 1
        else:
            self.env.process(self._put_off(work))
        del host.busy[work]
        self._dispatch()
        if not host.busy:
            self._rest(host)

    def _may_deploy(self, work: _Work) -> bool:
        """Take the account's next chance to make an API, if the drop needs one."""
        if not work.drop.new_api or not self.fleet.api_seconds:
            return True
        if self.env.now < self._next_api:
            return False
        self._next_api = self.env.now + self.fleet.api_seconds
        return True

    def _put_off(self, work: _Work) -> Process:
        """Hide a throttled drop, as workers do, and let it wait without a slot."""
        work.started = None
        work.put_offs += 1
        longest = min(THROTTLED_LAST, THROTTLED_FIRST * 2 ** min(work.put_offs - 1, 10))
        yield self.env.timeout(self._random.uniform(THROTTLED_LEAST, longest))
        self._enqueue(work)

    def _boot(self, host: _Host) -> Process:
        yield self.env.timeout(self.fleet.boot)
        if host.stopped is None:
            host.ready = self.env.now
            self._rest(host, self._first)
            self._dispatch()

    def _rest(self, host: _Host, at_least: float = 0.0) -> None:
        """Let an idle machine be scaled in now, or terminate itself later."""
        host.idle_since = self.env.now
        self._reconcile()
        if host.stopped is None and self._idle is not None:
            self.env.process(self._retire(host, self.env.now, max(self._idle, at_least)))
        self._check()

    def _retire(self, host: _Host, since: float, idle: float) -> Process:
        yield self.env.timeout(idle)
        if host.stopped is None and host.idle_since == since and self.desired > self.fleet.smallest:
            self.desired -= 1
            self._stop(host)

    def _reconcile(self) -> None:
        while len(self._hosts) < self.desired:
            host = _Host(self.env.now)
            self._hosts.append(host)
            self.env.process(self._boot(host))
        while len(self._hosts) > self.desired:
            loose = [host for host in self._hosts if not (self._protect and host.busy)]
            if not loose:
                return
            self._stop(self._random.choice(loose))

    def _stop(self, host: _Host) -> None:
        host.stopped = self.env.now
        self._hosts.remove(host)
        self._gone.append(host)
        self.killed += bool(host.busy)
        for build in host.busy.values():
            build.interrupt()
        self._check()

    def _check(self) -> None:
        if self.settled() and not self.done.triggered:
            self.done.succeed()

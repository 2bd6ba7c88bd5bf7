"""Scaling of a group: the checker's samples, the alarms and the policies, each at its own interval."""

from __future__ import annotations

import random
from collections.abc import Sequence

from checker.backlog import FIRST_GUESS, Backlog, expected_seconds
from checker.simulator.alarms import Alarm, TargetTracking
from checker.simulator.model import Arrival, Fleet, SimulationOutcome
from checker.simulator.policies import Direct, MetricName, Policy, Step, Tracking
from checker.simulator.world import Process, World

PATIENCE = 86_400.0
"""Seconds that a run may last after the last drop; what is not done by then never will be."""


def run(policy: Policy, drops: Sequence[Arrival], fleet: Fleet, seed: int = 0) -> SimulationOutcome:
    """Simulate drops on a fleet until all are done and the fleet has its minimum size.

    The same arguments give the same outcome. ``drops`` are ordered by time.
    """
    world = World(drops, fleet, protect=policy.protect, idle=policy.idle, first=policy.first, seed=seed)
    Checker(world, policy, random.Random(seed).random()).start()  # noqa: S311 - a simulation
    end = (drops[-1].at if drops else 0.0) + PATIENCE
    world.env.run(until=world.env.any_of([world.done, world.env.timeout(end)]))
    return SimulationOutcome(policy.name, world.jobs(), world.machines(), world.killed, world.env.now)


class Checker:
    """Samples the world and evaluates the policies of ``policy``.

    ``phase`` (0 to 1) is the time of the first sample as a share of the interval, for policies whose samples are not
    aligned with CloudWatch's periods.
    """

    def __init__(self, world: World, policy: Policy, phase: float) -> None:
        self._world = world
        self._policy = policy
        self._phase = phase
        self._samples: list[tuple[float, dict[MetricName, float]]] = []

    def start(self) -> None:
        """Start, with the world's clock."""
        env, policy = self._world.env, self._policy
        if policy.direct:
            env.process(self._set_directly(policy.direct))
            return
        env.process(self._sample())
        if policy.step:
            env.process(self._step(policy.step))
        if policy.tracking:
            env.process(self._track(policy.tracking))

    def _look(self) -> Backlog:
        world = self._world
        in_flight = world.in_flight if self._policy.counts_in_flight else 0
        seconds = expected_seconds(world.build_seconds, FIRST_GUESS)
        return Backlog(world.visible, in_flight, world.in_service(), seconds, world.fleet.slots)

    def _sample(self) -> Process:
        every, ahead = self._policy.sample, self._policy.ahead
        yield self._world.env.timeout(every * self._phase if ahead is None else every - min(ahead, every))
        while True:
            look = self._look()
            metrics: dict[MetricName, float] = {
                "QueueVisible": look.visible,
                "BacklogPerWorker": look.per_worker,
                "BacklogSecondsPerWorker": look.seconds_per_worker,
                "BacklogSecondsWithoutWorkers": look.seconds_without_workers,
            }
            self._samples.append((self._world.env.now, metrics))
            del self._samples[:-120]
            yield self._world.env.timeout(every)

    def _values(self, metric: MetricName, period: float) -> list[float]:
        """Return the samples of the period that ended ``delay`` ago."""
        end = self._world.env.now - self._policy.delay
        return [metrics[metric] for at, metrics in self._samples if end - period < at <= end]

    def _track(self, tracking: Tracking) -> Process:
        world = self._world
        policy = TargetTracking(tracking.target, tracking.out, tracking.in_)
        yield world.env.timeout(self._policy.delay)
        while True:
            yield world.env.timeout(tracking.period)
            values = self._values(tracking.metric, tracking.period)
            if values:
                value = sum(values) / len(values)
                warm = world.in_service(tracking.warmup)
                on_the_way = world.booting > 0 or warm < world.in_service()
                now, desired = world.env.now, world.desired
                world.set_desired(policy.desired(value, now, desired=desired, warm=warm, busy_scaling_out=on_the_way))

    def _step(self, step: Step) -> Process:
        world = self._world
        alarms = [Alarm(lambda value: value > 0, points) for points in step.points]
        yield world.env.timeout(self._policy.delay)
        while True:
            yield world.env.timeout(step.period)
            value = max(self._values(step.metric, step.period), default=None)
            if value is None:
                continue
            invoked = [alarm.invokes(value, world.env.now) for alarm in alarms]
            if any(invoked):
                world.set_desired(max(world.desired, step.capacity(value)))

    def _set_directly(self, direct: Direct) -> Process:
        """Set the desired capacity for what is queued and running, but never lower it.

        So does https://github.com/buildkite/buildkite-agent-scaler with DISABLE_SCALE_IN, as the Elastic CI Stack
        runs it: idle machines terminate themselves.
        """
        world = self._world
        yield world.env.timeout(direct.period * self._phase)
        while True:
            needed = -(-(world.visible + world.in_flight) // world.fleet.slots)
            if needed > world.desired:
                world.set_desired(needed)
            yield world.env.timeout(direct.period)

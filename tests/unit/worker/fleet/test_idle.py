"""A worker without work ends its machine, but neither too soon nor against the group's will."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from worker.fleet.idle import GRACE_SECONDS, RETRY_SECONDS, IdleTimer


@dataclass
class Machine:
    seconds: float = 5.0
    agrees: bool = True
    now: float = 1000.0
    asked: list[tuple[float, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.idle = IdleTimer(self.go, self.seconds, clock=lambda: self.now)

    def go(self, why: str) -> bool:
        self.asked.append((self.now, why))
        return self.agrees

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.idle.leave_if_due()


def test_it_goes_when_it_has_been_idle_for_long_enough() -> None:
    machine = Machine()
    machine.idle.load(1)
    machine.wait(100)
    machine.idle.load(0)
    machine.wait(4.9)
    assert machine.asked == []
    machine.wait(0.1)
    assert machine.asked == [(1105.0, "idle for 5 s")]


def test_new_work_begins_the_wait_anew() -> None:
    machine = Machine()
    for running in (1, 0):
        machine.idle.load(running)
    machine.now += 4
    for running in (1, 2, 1, 0):
        machine.idle.load(running)
    machine.wait(4)
    assert machine.asked == []


@pytest.mark.parametrize(("seconds", "first"), [(5.0, GRACE_SECONDS), (300.0, 300.0)])
def test_a_machine_that_has_just_booted_waits_longer_for_its_first_work(seconds: float, first: float) -> None:
    machine = Machine(seconds)
    machine.wait(first - 1)
    assert machine.asked == []
    machine.wait(1)
    assert len(machine.asked) == 1


def test_a_group_that_keeps_the_machine_is_not_asked_all_the_time() -> None:
    machine = Machine(agrees=False)
    machine.wait(GRACE_SECONDS)
    machine.wait(RETRY_SECONDS - 1)
    assert len(machine.asked) == 1
    machine.wait(1)
    assert len(machine.asked) == 2


def test_zero_is_never() -> None:
    machine = Machine(seconds=0)
    machine.idle.load(1)
    machine.idle.load(0)
    machine.wait(1e6)
    assert machine.asked == []

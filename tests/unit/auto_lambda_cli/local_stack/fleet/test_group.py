"""The group's machines: ordered, in service, protected, waited for, gone."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auto_lambda_cli.local_stack.fleet.group import FAILURES, STOPPING, Hopeless, Instance, LocalGroup, ValidationFailed
from auto_lambda_cli.local_stack.fleet.rules import Rules

RULES = Rules("workers", smallest=0, largest=3, warmup=30, hook=("leave", 300), tracking=(), steps=())
BOOT = 5.0


@dataclass
class Computer:
    """A worker that is ready at once, and stops when it is asked to."""

    code: int | None = None
    stops: bool = True
    asked: bool = False
    ends: int = 0

    def boot(self) -> None:
        """Nothing to start."""

    def is_ready(self) -> bool:
        return self.code is None

    def ended(self) -> int | None:
        return 0 if self.asked and self.stops else self.code

    def last_words(self) -> str:
        return "last words"

    def ask_to_stop(self) -> None:
        self.asked = True

    def end(self) -> None:
        self.ends += 1


@dataclass
class Fleet:
    rules: Rules = RULES
    now: float = 1000.0
    said: list[str] = field(default_factory=list)
    computers: dict[str, Computer] = field(default_factory=dict)
    next_code: int | None = None

    def __post_init__(self) -> None:
        self.group = LocalGroup(self.rules, self.computer, BOOT, self.said.append, clock=lambda: self.now)

    def computer(self, machine: Instance) -> Computer:
        self.computers[machine.id] = Computer(self.next_code)
        return self.computers[machine.id]

    def tick(self, seconds: float = 0.0) -> None:
        self.now += seconds
        self.group.tick()

    def with_machines(self, count: int) -> list[str]:
        self.group.set_desired(count, "a test")
        self.tick()
        self.tick(BOOT)
        self.tick()
        assert self.states() == ["InService"] * count
        return [machine.id for machine in self.group.machines()]

    def states(self) -> list[str]:
        return [machine.state for machine in self.group.machines()]


def test_a_machine_is_in_service_once_it_has_booted_and_its_worker_is_at_work() -> None:
    fleet = Fleet()
    fleet.group.set_desired(1, "a test")
    fleet.tick()
    fleet.tick(BOOT - 0.1)
    fleet.tick()
    assert fleet.states() == ["Pending"]
    fleet.tick(0.1)
    fleet.tick()
    assert fleet.states() == ["InService"]


def test_the_desired_count_stays_within_the_bounds_and_each_change_is_told_with_its_reason() -> None:
    fleet = Fleet()
    fleet.group.set_desired(17, "backlog")
    fleet.group.set_desired(5, "backlog")
    fleet.group.set_desired(-1, "idle")
    assert fleet.said == ["desired 0 -> 3 (17 asked for): backlog", "desired 3 -> 0 (-1 asked for): idle"]


def test_new_machines_warm_up_before_they_count() -> None:
    fleet = Fleet()
    fleet.with_machines(2)
    assert (fleet.group.size().warm, fleet.group.size().growing) == (0, True)
    fleet.now += RULES.warmup
    assert (fleet.group.size().warm, fleet.group.size().growing) == (2, False)


def test_scale_in_takes_no_protected_machine_but_remembers() -> None:
    fleet = Fleet()
    first, second = fleet.with_machines(2)
    fleet.group.protect([first, second], wanted=True)
    fleet.group.set_desired(1, "idle")
    fleet.tick()
    assert fleet.states() == ["InService", "InService"]
    fleet.group.protect([second], wanted=False)
    fleet.tick()
    assert fleet.states() == ["InService", "Terminating:Wait"]


def test_a_machine_that_goes_is_waited_for_until_it_says_so() -> None:
    fleet = Fleet()
    (machine,) = fleet.with_machines(1)
    fleet.group.terminate(machine, decrement=True)
    (known,) = fleet.group.machines()
    assert (fleet.group.desired, known.target) == (0, "Terminated")
    fleet.tick(299)
    assert fleet.states() == ["Terminating:Wait"]
    assert not fleet.computers[machine].asked
    fleet.group.complete(machine, "leave")
    fleet.tick()
    assert fleet.computers[machine].asked
    fleet.tick()
    assert fleet.states() == []
    assert fleet.computers[machine].ends == 1
    assert fleet.said[-1] == f"{machine} gone: it asked to go"


def test_without_a_word_the_hook_runs_out_and_a_heartbeat_puts_that_off() -> None:
    fleet = Fleet()
    (machine,) = fleet.with_machines(1)
    fleet.group.terminate(machine, decrement=True)
    fleet.tick(200)
    fleet.group.heartbeat(machine, "leave")
    fleet.tick(200)
    assert fleet.states() == ["Terminating:Wait"]
    fleet.tick(100)
    assert fleet.states() == ["Terminating:Proceed"]


def test_a_worker_that_does_not_stop_with_its_machine_is_killed_and_that_is_told() -> None:
    fleet = Fleet()
    (machine,) = fleet.with_machines(1)
    fleet.computers[machine].stops = False
    fleet.group.terminate(machine, decrement=True)
    fleet.group.complete(machine, "leave")
    fleet.tick()
    fleet.tick(STOPPING)
    assert fleet.states() == []
    assert "was killed" in fleet.said[-1]


def test_a_machine_that_goes_without_decrement_is_replaced_and_so_is_one_whose_worker_ends() -> None:
    fleet = Fleet()
    first, second = fleet.with_machines(2)
    fleet.group.terminate(first, decrement=False)
    fleet.computers[second].code = 1
    fleet.tick()
    fleet.tick()
    assert fleet.states() == ["Terminating:Wait", "Pending", "Pending"]
    assert any(f"{second} is replaced: its worker exited with 1\nlast words" in line for line in fleet.said)


def test_machines_that_fail_one_after_the_other_are_hopeless() -> None:
    fleet = Fleet(next_code=2)
    fleet.group.set_desired(1, "a test")
    for _ in range(3 * FAILURES - 1):  # ordered, booted, seen to have failed
        fleet.tick(BOOT)
    with pytest.raises(Hopeless, match=r"exited with 2\nlast words"):
        fleet.tick(BOOT)


def test_what_auto_scaling_would_refuse_is_refused() -> None:
    fleet = Fleet(Rules("workers", 1, 3, 30, ("leave", 300), (), ()))
    (machine,) = fleet.with_machines(1)
    with pytest.raises(ValidationFailed, match="equals minSize"):
        fleet.group.terminate(machine, decrement=True)
    with pytest.raises(ValidationFailed, match="No active Lifecycle Action"):
        fleet.group.complete(machine, "leave")
    with pytest.raises(ValidationFailed, match="No managed instance"):
        fleet.group.protect(["i-0"], wanted=True)
    fleet.group.terminate(machine, decrement=False)
    with pytest.raises(ValidationFailed, match="not in InService"):
        fleet.group.protect([machine], wanted=True)
    with pytest.raises(ValidationFailed, match="being terminated already"):
        fleet.group.terminate(machine, decrement=False)
    assert fleet.states() == ["Terminating:Wait"]


@given(st.lists(st.integers(-2, 6)), st.data())
def test_there_are_never_more_machines_than_wanted_nor_is_a_protected_one_taken(
    wanted: list[int], data: st.DataObject
) -> None:
    fleet = Fleet()
    for count in wanted:
        fleet.group.set_desired(count, "a test")
        safe = {machine.id for machine in fleet.group.machines() if machine.protected}
        fleet.tick(data.draw(st.sampled_from([0.0, BOOT, 400.0])))
        machines = fleet.group.machines()
        staying = {machine.id for machine in machines if not machine.going}
        assert safe <= staying
        assert len(staying) == max(fleet.group.desired, len(safe))
        assert 0 <= fleet.group.desired <= 3
        for machine in machines:
            machine.protected = machine.state == "InService" and data.draw(st.booleans())

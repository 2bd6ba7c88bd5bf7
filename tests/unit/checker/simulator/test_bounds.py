from __future__ import annotations

from checker.simulator.bounds import clairvoyant, prompt
from checker.simulator.model import Arrival, Fleet, SimulatedMachine

FLEET = Fleet(boot=60)


def test_the_clairvoyant_has_a_machine_ready_when_the_drop_falls() -> None:
    outcome = clairvoyant([Arrival(100, 50)], FLEET)
    assert outcome.waits() == [0]
    assert outcome.machines == (SimulatedMachine(40, 100, 150),)


def test_the_clairvoyant_queues_only_when_the_largest_fleet_is_full() -> None:
    outcome = clairvoyant([Arrival(0, 50)] * 3, Fleet(boot=60, largest=2))
    assert outcome.waits() == [0, 0, 50]


def test_prompt_orders_when_the_drop_falls_and_not_before() -> None:
    outcome = prompt([Arrival(100, 50)], FLEET)
    assert outcome.waits() == [60]
    assert outcome.machines == (SimulatedMachine(100, 160, 210),)


def test_prompt_waits_for_a_machine_that_is_free_sooner_than_a_new_one() -> None:
    outcome = prompt([Arrival(0, 100), Arrival(120, 10)], FLEET)
    assert outcome.waits() == [60, 40]
    assert len(outcome.machines) == 1


def test_prompt_keeps_a_machine_over_a_gap_that_is_shorter_than_a_boot() -> None:
    near, far = (prompt([Arrival(0, 40), Arrival(100 + gap, 10)], FLEET) for gap in (50, 70))
    assert near.waits() == [60, 0]
    assert far.waits() == [60, 60]
    assert far.machines[0].stopped == 100


def test_prompt_uses_every_slot_before_it_orders() -> None:
    outcome = prompt([Arrival(0, 500), Arrival(1, 500), Arrival(2, 500)], Fleet(boot=60, slots=2))
    assert len(outcome.machines) == 2
    assert outcome.waits() == [60, 59, 60]


def test_prompt_waits_where_it_may_have_no_more() -> None:
    assert prompt([Arrival(0, 500), Arrival(1, 500)], Fleet(boot=60, largest=1)).waits() == [60, 559]

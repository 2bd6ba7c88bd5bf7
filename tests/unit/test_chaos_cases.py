"""Which cases of the crash enumeration are run, and that those left out are told by others."""

from __future__ import annotations

import pytest
from chaos_cases import Skip, rows_of, skipped
from chaos_scenarios import Scenario
from faulty_aws import Call, Kind

READ, WRITE = Call("s3:HeadObject upload"), Call("s3:PutObject receipt(live)")
ROWS = (Call("sqs:ReceiveMessage"), READ, WRITE, Call(READ.name, 2), Call(WRITE.name, 2), Call("lambda:UpdateAlias"))
REFUSALS, LOSSES = {Kind.THROTTLED, Kind.ERROR, Kind.SILENCE}, {Kind.CUT, Kind.CUT_ONCE}


def run(scenario: Scenario, call: Call) -> set[Kind]:
    left_out = dict(skipped(scenario, ROWS))
    return {kind for kind in Kind if (call, kind) not in left_out}


@pytest.mark.parametrize("scenario", list(Scenario))
def test_each_state_between_two_changes_is_left_once(scenario: Scenario) -> None:
    assert {call for call in ROWS if Kind.KILL_BEFORE in run(scenario, call)} == {ROWS[0]}
    assert {call for call in ROWS if Kind.KILL_AFTER in run(scenario, call)} == {it for it in ROWS if not it.reads}


@pytest.mark.parametrize("scenario", list(Scenario))
def test_each_call_is_refused_and_what_changes_something_loses_its_answer(scenario: Scenario) -> None:
    for call in ROWS:
        assert run(scenario, call) & REFUSALS
        assert bool(run(scenario, call) & LOSSES) is not call.reads


def test_where_all_is_run_the_first_call_of_each_name_gets_every_kind() -> None:
    assert run(Scenario.ZAPPA_UPDATE, WRITE) == {Kind.KILL_AFTER, *REFUSALS, *LOSSES}
    assert len(run(Scenario.ZAPPA_UPDATE, Call(WRITE.name, 2))) == 3
    assert len(run(Scenario.SHIFTING, WRITE)) == 3


def test_what_is_left_out_has_its_reason() -> None:
    found = dict(skipped(Scenario.SHIFTING, ROWS))
    assert found[READ, Kind.CUT] is Skip.SAME
    assert found[WRITE, Kind.KILL_BEFORE] is Skip.SAME
    assert set(found.values()) == {Skip.SAME, Skip.SAMPLED}


def test_rows_are_those_of_the_longer_run_and_what_only_the_other_made() -> None:
    polled = (*ROWS[:2], Call(READ.name, 2), *ROWS[2:3])
    assert rows_of(Scenario.ZAPPA_UPDATE, ROWS, polled) == ROWS
    assert rows_of(Scenario.ZAPPA_UPDATE, ROWS[:3], (ROWS[5],)) == (*ROWS[:3], ROWS[5])


def test_a_scenario_has_the_rows_by_which_it_differs() -> None:
    begun = Call("dynamodb:TransactWriteItems lease+journal(release begun)")
    done = Call("dynamodb:TransactWriteItems lease+journal(release done)")
    invoke, beat = Call("lambda:Invoke"), Call("sqs:ChangeMessageVisibility")
    calls = (*ROWS[:3], begun, beat, invoke, done, ROWS[5], Call("retention dynamodb:Query"))
    assert rows_of(Scenario.RELEASE, calls) == (begun, invoke, done)
    assert rows_of(Scenario.ABORTING, calls) == (*ROWS[:3], begun, invoke, done, ROWS[5])
    assert rows_of(Scenario.COLLECTING, calls) == (Call("retention dynamodb:Query"),)
    assert rows_of(Scenario.SLOW, calls) == (beat,)
    more = (Call("cloudformation:CreateChangeSet"), *ROWS[1:3], Call("sqs:ReceiveMessage", 2), ROWS[5])
    assert rows_of(Scenario.PUT_OFF, more) == (*ROWS[1:3], Call("sqs:ReceiveMessage", 2))

"""A spread of what ``make chaos`` does for each call: the worker killed, or a call spoilt, and all is as without."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from chaos_scenarios import Scenario
from crashes import Lane
from faulty_aws import Call, Fault, Kind

OUTCOME = Call("dynamodb:TransactWriteItems lease(given up)+live+release+due+journal(over)+event+attempt(live)")
EVENT = Call("events:PutEvents")
EXECUTE = Call("cloudformation:ExecuteChangeSet")
SECOND_STACK = Call(EXECUTE.name, 2)
MADE, SET_BACK = Call("lambda:UpdateFunctionCode"), Call("lambda:UpdateFunctionCode", 2)
SWITCH = Call("lambda:UpdateAlias")
EARLIER = Call("dynamodb:BatchGetItem", 2)  # the first is the deduplication's
COLLECTION = Call("retention lambda:DeleteFunction")
SPREAD = {
    Scenario.CHALICE_FIRST: (Fault(EXECUTE, Kind.KILL_AFTER), Fault(Call("sqs:DeleteMessage"), Kind.CUT)),
    Scenario.CHALICE_UPDATE: (
        Fault(OUTCOME, Kind.CUT),
        Fault(Call("cloudformation:CreateChangeSet"), Kind.THROTTLED),
        Fault(Call("s3:PutObject receipt(live)"), Kind.ERROR),
    ),
    Scenario.ZAPPA_FIRST: (Fault(EXECUTE, Kind.SILENCE), Fault(EVENT, Kind.KILL_AFTER)),
    Scenario.ROLLBACK: (Fault(SWITCH, Kind.KILL_AFTER), Fault(EARLIER, Kind.ERROR)),
    Scenario.UNHEALTHY: (Fault(SET_BACK, Kind.KILL_BEFORE), Fault(MADE, Kind.CUT_ONCE)),
    Scenario.PUT_OFF: (Fault(Call("sqs:SendMessage"), Kind.KILL_AFTER),),
    Scenario.COLLECTING: (Fault(COLLECTION, Kind.KILL_BEFORE),),
    Scenario.FLEX: (Fault(EXECUTE, Kind.KILL_AFTER), Fault(SECOND_STACK, Kind.KILL_BEFORE)),
    Scenario.ZAPPA_UPDATE: (
        Fault(MADE, Kind.KILL_AFTER),
        Fault(EXECUTE, Kind.CUT_ONCE),
        Fault(OUTCOME, Kind.KILL_BEFORE),
    ),
}
CASES = [(scenario, fault) for scenario, faults in SPREAD.items() for fault in faults]
Ends = dict[Scenario, "Future[dict[Fault, tuple[str, ...]]]"]


def play(folder: Path, scenario: Scenario) -> dict[Fault, tuple[str, ...]]:
    """What differs at the end of each case from the end of a run without a fault."""
    with Lane(folder, scenario) as lane:
        undisturbed = lane.run()
        assert not undisturbed.difference
        assert "not to be seen" not in undisturbed.state, undisturbed.state
        ends: dict[Fault, tuple[str, ...]] = {}
        for fault in SPREAD[scenario]:
            result = lane.run(fault, undisturbed.state)
            ends[fault] = result.difference if result.reached else ("the call was not made",)
        return ends


@pytest.fixture(scope="module")
def ends(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ends]:
    """All scenarios at once: most of the time they wait for leases to run out."""
    folder = tmp_path_factory.mktemp("chaos")
    with ThreadPoolExecutor(len(SPREAD)) as pool:
        yield {scenario: pool.submit(play, folder / scenario.name.lower(), scenario) for scenario in SPREAD}


@pytest.mark.parametrize(("scenario", "fault"), CASES, ids=[f"{it}, {fault.call}, {fault.kind}" for it, fault in CASES])
def test_all_is_as_without_the_fault(ends: Ends, scenario: Scenario, fault: Fault) -> None:
    assert ends[scenario].result(timeout=280)[fault] == ()

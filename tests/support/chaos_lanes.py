"""Runs the cases of ``make chaos`` on some lanes, each of which goes from one scenario to the next."""

from __future__ import annotations

import math
import queue
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from chaos_book import Book, Cell
from chaos_cases import Skip, rows_of, skipped
from chaos_scenarios import Scenario
from crashes import Lane, differences
from faulty_aws import Call, Fault, Kind

CASES_OF_A_LANE = 60
"""Then it begins anew, since the embedded AWS and S3's versions grow."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which cases are run.

    Attributes:
        kinds: of faults.
        rows: picks calls.
        everything: whether cases are run, too, that need not be.
        until: when no other case is begun, by the monotonic clock.
    """

    kinds: Sequence[Kind]
    rows: Callable[[Sequence[Call]], Sequence[Call]]
    everything: bool = False
    until: float = math.inf


@dataclass
class Plan:
    """What one scenario has to be taken through. ``learnt`` once the undisturbed runs are done."""

    scenario: Scenario
    rows: tuple[Call, ...] = ()
    skips: Mapping[tuple[Call, Kind], Skip] = field(default_factory=dict)
    expected: dict[str, object] = field(default_factory=dict)
    cases: queue.SimpleQueue[Fault] = field(default_factory=queue.SimpleQueue)
    begun: bool = False
    learnt: bool = False
    failed: str | None = None

    def learn(self, lane: Lane, wanted: Wanted, book: Book) -> None:
        """Two undisturbed runs after one that warms up: their ends must be equal, their calls are the rows."""
        lane.run()
        first, second = lane.run(), lane.run()
        if unlike := list(differences(first.state, second.state)):
            raise RuntimeError(f"two undisturbed runs differ: {unlike}")
        every = rows_of(self.scenario, first.calls, second.calls)
        self.expected, self.rows = dict(second.state), tuple(wanted.rows(every))
        if not wanted.everything:
            self.skips = dict(skipped(self.scenario, every))
        for call in self.rows:
            for kind in wanted.kinds:
                fault = Fault(call, kind)
                if (call, kind) not in self.skips and not book.knows(self.scenario, fault):
                    self.cases.put(fault)
        self.learnt = True

    def planned(self, kinds: Sequence[Kind]) -> int:
        """How many cases it has."""
        return sum((call, kind) not in self.skips for call in self.rows for kind in kinds)


class Enumeration:
    """All cases, on so many lanes.

    Args:
        folder: for the lanes.
        wanted: which cases.
        book: where they are written down.
    """

    def __init__(self, folder: Path, wanted: Wanted, book: Book) -> None:
        self._folder = folder
        self._wanted = wanted
        self._book = book
        self._lock = threading.Lock()
        self._plans: list[Plan] = []

    def run(self, scenarios: Sequence[Scenario], lanes: int) -> list[Plan]:
        """Run all scenarios, those that come first first."""
        self._plans = [Plan(scenario) for scenario in scenarios]
        # Daemons, so that Ctrl-C ends it: emulators and workers end with the process.
        threads = [threading.Thread(target=self._work, name=f"lane {it}", daemon=True) for it in range(lanes)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return self._plans

    def _work(self) -> None:
        plan = self._next(None)
        while plan:
            plan = self._on_one_lane(plan)

    def _on_one_lane(self, plan: Plan) -> Plan | None:
        """Stay with a scenario while it has cases, then go over to another; return what needs a lane of its own."""
        name = f"{plan.scenario.replace(' ', '-')}-{time.monotonic_ns()}"
        try:
            with Lane(self._folder / name, plan.scenario) as lane:
                for _ in range(CASES_OF_A_LANE):
                    sound, following = self._step(lane, plan), self._next(plan)
                    if not sound or following is None or not lane.suits(following.scenario):
                        return following
                    if following is not plan:
                        plan = following
                        lane.begin(plan.scenario)
                return plan
        except Exception as error:
            self._fail(plan, error)
            return self._next(None)

    def _next(self, present: Plan | None) -> Plan | None:
        """Return a scenario with cases, that of a lane first; wait while others are still learning theirs."""
        while time.monotonic() < self._wanted.until:
            with self._lock:
                live = [plan for plan in self._plans if not plan.failed]
                busy = [plan for plan in live if plan.learnt and not plan.cases.empty()]
                if present in busy:
                    return present
                fresh = next((plan for plan in live if not plan.begun), None)
                if fresh:
                    fresh.begun = True
                    return fresh
                if busy or all(plan.learnt for plan in live):
                    return max(busy, key=lambda plan: plan.cases.qsize(), default=None)
            time.sleep(1)
        return None

    def _step(self, lane: Lane, plan: Plan) -> bool:
        """Learn the scenario, or run one case of it. Tells whether the lane is as it should be afterwards."""
        try:
            if not plan.learnt:
                plan.learn(lane, self._wanted, self._book)
                return True
            fault = plan.cases.get_nowait()
        except queue.Empty:
            return True
        except Exception as error:
            self._fail(plan, error)
            return False
        cell = _case(lane, plan, fault)
        self._book.add(cell)
        return cell.outcome != "FAIL"

    @staticmethod
    def _fail(plan: Plan, error: Exception) -> None:
        plan.failed = f"{type(error).__name__}: {error}"
        sys.stderr.write(f"{plan.scenario}: {plan.failed}\n")


def _case(lane: Lane, plan: Plan, fault: Fault) -> Cell:
    try:
        result = lane.run(fault, plan.expected)
        if not result.reached and not result.difference:
            result = lane.run(fault, plan.expected)
    except Exception as error:
        return Cell(plan.scenario, fault, "FAIL", (f"{type(error).__name__}: {error}",))
    outcome = "FAIL" if result.difference else "ok" if result.reached else "-"
    return Cell(plan.scenario, fault, outcome, result.difference, result.seconds)

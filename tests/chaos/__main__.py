"""Spoils each AWS call of the worker in turn, in every way, and prints what came of it: ``make chaos``.

Ends by itself; the exit code is 1 when a single end state differed from the undisturbed one.
"""

from __future__ import annotations

import argparse
import json
import queue
import re
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from crashes import Lane, Result, Scenario, differences
from faulty_aws import Call, Fault, Kind

ALL = tuple(Scenario)
VERDICT = "dynamodb:TransactWriteItems lease+journal(verify failed)"
CASES_OF_A_LANE = 30
"""Then it begins anew: the embedded AWS keeps a process for each function that has ever answered."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One case, and how it ended: ``ok``, ``FAIL`` or ``-`` when the call was not made this time."""

    scenario: Scenario
    fault: Fault
    outcome: str
    difference: tuple[str, ...] = ()
    seconds: float = 0.0


class Book:
    """The cases that have ended, written down as they end: a run that was cut short goes on where it stopped.

    Args:
        file: one JSON object a line; what is in it and did not fail is not run again. None to forget.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._known: dict[tuple[str, str, str], dict[str, Any]] = {}
        self.cells: list[Cell] = []
        if file and file.exists():
            for line in map(json.loads, file.read_text().splitlines()):
                self._known[line["scenario"], line["call"], line["kind"]] = line

    def knows(self, scenario: Scenario, fault: Fault) -> bool:
        """Whether the case need not be run; then it counts as it ended."""
        line = self._known.get((scenario, str(fault.call), fault.kind))
        if line is None or line["outcome"] == "FAIL":
            return False
        with self._lock:
            self.cells.append(Cell(scenario, fault, line["outcome"], (), line["seconds"]))
        return True

    def add(self, cell: Cell) -> None:
        """Count it, tell it, write it down."""
        case = {"scenario": cell.scenario, "call": str(cell.fault.call), "kind": cell.fault.kind}
        line = {**case, "outcome": cell.outcome, "seconds": round(cell.seconds, 1), "difference": cell.difference}
        with self._lock:
            self.cells.append(cell)
            what = f"{cell.scenario}, {cell.fault.call}: {cell.fault.kind}"
            sys.stderr.write(f"{len(self.cells):5} {cell.outcome:4} {cell.seconds:5.1f} s  {what}\n")
            sys.stderr.writelines(f"      {difference}\n" for difference in cell.difference)
            if self._file:
                with self._file.open("a") as file:
                    file.write(json.dumps(line) + "\n")


@dataclass
class Plan:
    """What one scenario has to be taken through. ``ready`` once the undisturbed runs are done."""

    scenario: Scenario
    rows: tuple[Call, ...] = ()
    expected: dict[str, object] = field(default_factory=dict)
    cases: queue.SimpleQueue[Fault] = field(default_factory=queue.SimpleQueue)
    ready: threading.Event = field(default_factory=threading.Event)
    failed: str | None = None

    def learn(
        self, lane: Lane, kinds: Sequence[Kind], chosen: Callable[[Sequence[Call]], Sequence[Call]], book: Book
    ) -> None:
        """Two undisturbed runs after one that warms up: their ends must be equal, their calls are the rows."""
        lane.run()
        first, second = lane.run(), lane.run()
        if unlike := list(differences(first.state, second.state)):
            raise RuntimeError(f"two undisturbed runs differ: {unlike}")
        self.expected, self.rows = dict(second.state), tuple(chosen(rows_of(self.scenario, first, second)))
        for call in self.rows:
            for kind in kinds:
                fault = Fault(call, kind)
                if not same_as_another(call, kind) and not book.knows(self.scenario, fault):
                    self.cases.put(fault)


def same_as_another(call: Call, kind: Kind) -> bool:
    """Whether another case is the same as this one by construction.

    A call that only reads leaves the same behind whether it was carried out or not: to be killed after it is to be
    killed before it, and a lost answer is a lost question.
    """
    return call.reads and kind.acts


def rows_of(scenario: Scenario, first: Result, second: Result) -> tuple[Call, ...]:
    """The calls in order; where their number is unsteady (polls, intermediate receipts), as many as any run made.

    The slow app is there for what only the heartbeat does, the unhealthy one for what follows the verdict, the one that
    is collected for what only the housekeeper does.
    """
    longer, other = sorted((first.calls, second.calls), key=len, reverse=True)
    rows = [*longer, *(call for call in other if call not in longer)]
    if scenario is Scenario.COLLECTING:
        return tuple(call for call in rows if call.name.startswith("retention "))
    rows = [call for call in rows if not call.name.startswith("retention ")]
    if scenario is Scenario.SLOW:
        return tuple(call for call in rows if call.name in {"sqs:ChangeMessageVisibility", "dynamodb:PutItem lease"})
    if scenario is Scenario.PUT_OFF:
        names = [str(call) for call in rows]
        rows = rows[names.index(str(scenario.throttled)) + 1 : names.index("sqs:ReceiveMessage #2") + 1]
    if scenario is Scenario.UNHEALTHY:
        rows = rows[[call.name for call in rows].index(VERDICT) :]
    return tuple(call for call in rows if call.name != "sqs:ChangeMessageVisibility")


class Enumeration:
    """All cases, on so many lanes."""

    def __init__(
        self, folder: Path, kinds: Sequence[Kind], chosen: Callable[[Sequence[Call]], Sequence[Call]], book: Book
    ) -> None:
        self._folder = folder
        self._kinds = kinds
        self._chosen = chosen
        self._book = book

    def run(self, scenarios: Sequence[Scenario], lanes: int) -> dict[Scenario, Plan]:
        plans = {scenario: Plan(scenario) for scenario in scenarios}
        threads = [
            # Daemons, so that Ctrl-C ends it: emulators and workers end with the process.
            threading.Thread(target=self._lane, args=(plan, number), name=f"{plan.scenario} {number}", daemon=True)
            for number in range(lanes)
            for plan in plans.values()
            if number == 0 or plan.scenario is not Scenario.SLOW
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return plans

    def _lane(self, plan: Plan, number: int) -> None:
        first = number == 0
        if not first:
            plan.ready.wait()
        try:
            while first or not plan.cases.empty():
                with Lane(
                    self._folder / f"{plan.scenario.replace(' ', '-')}-{number}-{time.monotonic_ns()}", plan.scenario
                ) as lane:
                    if first:
                        plan.learn(lane, self._kinds, self._chosen, self._book)
                        plan.ready.set()
                        first = False
                    self._work(lane, plan)
        except Exception as error:
            plan.failed = f"{type(error).__name__}: {error}"
            sys.stderr.write(f"{plan.scenario}: {plan.failed}\n")
        finally:
            plan.ready.set()

    def _work(self, lane: Lane, plan: Plan) -> None:
        """Case after case. A failed one may leave anything behind: the next has a lane of its own."""
        for _ in range(CASES_OF_A_LANE):
            try:
                fault = plan.cases.get_nowait()
            except queue.Empty:
                return
            cell = self._case(lane, plan, fault)
            self._book.add(cell)
            if cell.outcome == "FAIL":
                return

    def _case(self, lane: Lane, plan: Plan, fault: Fault) -> Cell:
        try:
            result = lane.run(fault, plan.expected)
            if not result.reached and not result.difference:
                result = lane.run(fault, plan.expected)
        except Exception as error:
            return Cell(plan.scenario, fault, "FAIL", (f"{type(error).__name__}: {error}",))
        outcome = "FAIL" if result.difference else "ok" if result.reached else "-"
        return Cell(plan.scenario, fault, outcome, result.difference, result.seconds)


def matrix(plan: Plan, cells: Iterable[Cell], kinds: Sequence[Kind]) -> str:
    """Rows: calls in order. Columns: what happened to them."""
    found = {(cell.fault.call, cell.fault.kind): cell.outcome for cell in cells if cell.scenario is plan.scenario}
    width = max((len(str(call)) for call in plan.rows), default=10)
    lines = [f"{plan.scenario}", f"  N  {'call':{width}}  " + "  ".join(f"{kind:>11}" for kind in kinds)]
    for number, call in enumerate(plan.rows, 1):
        line = "  ".join(
            f"{found.get((call, kind), '=' if same_as_another(call, kind) else '?'):>11}" for kind in kinds
        )
        lines.append(f"{number:3}  {call!s:{width}}  {line}")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenario", type=Scenario, action="append", help="one of: " + ", ".join(ALL))
    parser.add_argument("--kind", type=Kind, action="append", help="one of: " + ", ".join(Kind))
    parser.add_argument("--every", type=int, default=1, help="each so-many-th call only")
    parser.add_argument("--call", type=re.compile, default="", help="calls whose name has this regular expression only")
    parser.add_argument("--lanes", type=int, default=3, help="workers for each scenario, each with an AWS of its own")
    parser.add_argument(
        "--json",
        type=Path,
        help="file for the cases, one JSON object a line; those in it are not run again, but for failed ones",
    )
    chosen = parser.parse_args()
    kinds, scenarios = chosen.kind or list(Kind), chosen.scenario or list(ALL)
    began, book = time.monotonic(), Book(chosen.json)

    def wanted(rows: Sequence[Call]) -> Sequence[Call]:
        return [call for call in rows if re.search(chosen.call, str(call))][:: chosen.every]

    with tempfile.TemporaryDirectory(prefix="chaos-", ignore_cleanup_errors=True) as folder:
        plans = Enumeration(Path(folder), kinds, wanted, book).run(scenarios, chosen.lanes)
    for plan in plans.values():
        sys.stdout.write(matrix(plan, book.cells, kinds) + "\n\n")
    counts = Counter(cell.outcome for cell in book.cells)
    planned = sum(not same_as_another(call, kind) for plan in plans.values() for call in plan.rows for kind in kinds)
    minutes = round((time.monotonic() - began) / 60, 1)
    sys.stdout.write(json.dumps({"planned": planned, "run": len(book.cells), **counts, "minutes": minutes}) + "\n")
    broken = [plan.failed for plan in plans.values() if plan.failed]
    return 1 if broken or counts["FAIL"] or len(book.cells) != planned else 0


if __name__ == "__main__":
    sys.exit(main())

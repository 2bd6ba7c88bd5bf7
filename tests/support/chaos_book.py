"""The cases of ``make chaos`` and how they ended, as lines of a file and as a matrix."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chaos_cases import Skip
from chaos_scenarios import Scenario
from faulty_aws import Call, Fault, Kind


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


def matrix(
    scenario: Scenario,
    rows: Sequence[Call],
    skips: Mapping[tuple[Call, Kind], Skip],
    cells: Iterable[Cell],
    kinds: Collection[Kind],
) -> str:
    """Rows: calls in order. Columns: what happened to them; ``?`` if that was to be run, and was not."""
    found = {(cell.fault.call, cell.fault.kind): cell.outcome for cell in cells if cell.scenario is scenario}
    width = max((len(str(call)) for call in rows), default=10)
    lines = [f"{scenario}", f"  N  {'call':{width}}  " + "  ".join(f"{kind:>11}" for kind in kinds)]
    for number, call in enumerate(rows, 1):
        told = (found.get((call, kind)) or str(skips.get((call, kind), "?")) for kind in kinds)
        lines.append(f"{number:3}  {call!s:{width}}  " + "  ".join(f"{one:>11}" for one in told))
    return "\n".join(lines)

"""Spoils each AWS call of the worker in turn, in every way, and prints what came of it: ``make chaos``.

Ends by itself; the exit code is 1 when a single end state differed from the undisturbed one.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from chaos_book import Book, matrix
from chaos_lanes import Enumeration, Wanted
from chaos_scenarios import Scenario
from faulty_aws import Call, Kind

ALL = tuple(Scenario)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenario", type=Scenario, action="append", help="one of: " + ", ".join(ALL))
    parser.add_argument("--kind", type=Kind, action="append", help="one of: " + ", ".join(Kind))
    parser.add_argument("--every", type=int, default=1, help="each so-many-th call only")
    parser.add_argument("--call", type=re.compile, default="", help="calls whose name has this regular expression only")
    parser.add_argument("--everything", action="store_true", help="also the cases marked = and ~, five times as many")
    parser.add_argument("--lanes", type=int, default=6, help="workers, each with an AWS of its own (%(default)s)")
    parser.add_argument("--minutes", type=float, default=math.inf, help="begin no other case after so many")
    parser.add_argument(
        "--json",
        type=Path,
        help="file for the cases, one JSON object a line; those in it are not run again, but for failed ones",
    )
    return parser.parse_args()


def main() -> int:
    chosen = arguments()
    kinds = chosen.kind or list(Kind)
    began, book = time.monotonic(), Book(chosen.json)

    def picked(rows: Sequence[Call]) -> Sequence[Call]:
        return [call for call in rows if re.search(chosen.call, str(call))][:: chosen.every]

    wanted = Wanted(kinds, picked, chosen.everything, began + 60 * chosen.minutes)
    with tempfile.TemporaryDirectory(prefix="chaos-", ignore_cleanup_errors=True) as folder:
        plans = Enumeration(Path(folder), wanted, book).run(chosen.scenario or ALL, chosen.lanes)
    for plan in plans:
        sys.stdout.write(matrix(plan.scenario, plan.rows, plan.skips, book.cells, kinds) + "\n\n")
    counts = Counter(cell.outcome for cell in book.cells)
    planned = sum(plan.planned(kinds) for plan in plans)
    minutes = round((time.monotonic() - began) / 60, 1)
    sys.stdout.write(json.dumps({"planned": planned, "run": len(book.cells), **counts, "minutes": minutes}) + "\n")
    broken = [plan.failed for plan in plans if plan.failed]
    return 1 if broken or counts["FAIL"] or len(book.cells) != planned else 0


if __name__ == "__main__":
    sys.exit(main())

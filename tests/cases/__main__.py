"""Drop every case on one local stack, as its uploader would, and compare what comes of it: `make cases`.

It prints a line for each case as it ends, then a table by kind, and fails if a case that waits for nothing differs.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import urllib3

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from cases import Case, cases, zipped
from e2e_stack import LocalUp, Stack

SECONDS = 600
HTTP = urllib3.PoolManager(timeout=60)


@dataclass(frozen=True)
class Outcome:
    """What came of a case, and what of it is not as expected."""

    case: Case
    ended: str
    differs: tuple[str, ...]

    @property
    def mark(self) -> str:
        if not self.differs:
            return "as expected"
        return f"waits: {self.case.waits}" if self.case.waits else "DIFFERS"


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="make cases", description=__doc__)
    parser.add_argument("patterns", nargs="*", help="names such as 'k01*' (all)")
    patterns = parser.parse_args(arguments).patterns or ["*"]
    chosen = [one for one in cases() if any(fnmatchcase(one.name, pattern) for pattern in patterns)]
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        up = LocalUp(Path(folder), AUTO_LAMBDA_SLOTS="2")
        try:
            stack = up.ready()
            with ThreadPoolExecutor(2) as pool:
                outcomes = list(pool.map(lambda case: told(run(stack, case, Path(folder))), chosen))
            show(outcomes)
        finally:
            up.end()
    return any(one.mark == "DIFFERS" for one in outcomes)


def run(stack: Stack, case: Case, folder: Path) -> Outcome:
    if not case.absent():
        return Outcome(case, "not dropped: this machine has what the case misses", ())
    work = folder / case.app
    for bucket in case.buckets:
        stack.s3.create_bucket(Bucket=bucket)
    for queue in case.queues:
        stack.sqs.create_queue(QueueName=queue)
    previous = None
    if case.before:
        previous = dropped(stack, case, work / "before", case.before)["url"]
    receipt = dropped(stack, case, work / "now", case.files)
    return Outcome(case, _ended(receipt), tuple(_differences(stack, case, receipt, previous)))


def dropped(stack: Stack, case: Case, work: Path, files: Any) -> dict[str, Any]:
    work.mkdir(parents=True)
    drop = stack.drop(case.app, zipped(case, work, files))
    try:
        return stack.final(drop, SECONDS)
    except AssertionError:
        return stack.receipt(drop) or {"status": "no receipt"}


def _ended(receipt: dict[str, Any]) -> str:
    error = receipt.get("error")
    if not error:
        return f"{receipt['status']} on Python {receipt.get('python')}"
    return f"{error['code']}: {error['message'].strip().splitlines()[-1][:100]}"


def _differences(stack: Stack, case: Case, receipt: dict[str, Any], previous: str | None) -> list[str]:
    error = receipt.get("error") or {}
    code = "live" if receipt["status"] == "live" else error.get("code", receipt["status"])
    told = "\n".join([error.get("message", ""), error.get("hint", ""), *(receipt.get("warnings") or ())])
    found = [f"{word!r} is not said" for word in case.lacks(told)]
    if code != case.expect:
        found.append(f"not {case.expect}")
    if case.python and receipt.get("python") != case.python:
        found.append(f"not on Python {case.python}")
    if case.answer and receipt.get("url"):
        answer = HTTP.request("GET", str(receipt["url"]).rstrip("/") + f"/{case.path}")  # redirects are followed
        if case.answer.encode() not in answer.data:
            found.append(f"answers {answer.status} {answer.data[:60]!r}")
    if previous and previous != receipt.get("url"):
        found.append("another URL than before")
    return found


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def told(outcome: Outcome) -> Outcome:
    say(f"{outcome.mark:12} {outcome.case.name}: {outcome.ended} {'; '.join(outcome.differs)}")
    return outcome


def show(outcomes: Sequence[Outcome]) -> None:
    say("\n| kind | cases | as expected | wait for something |\n| --- | --- | --- | --- |")
    for kind in dict.fromkeys(one.case.name.partition("/")[0] for one in outcomes):
        of_kind = [one for one in outcomes if one.case.name.startswith(f"{kind}/")]
        good = sum(not one.differs for one in of_kind)
        waiting = dict.fromkeys(one.case.waits for one in of_kind if one.differs and one.case.waits)
        say(f"| {kind} | {len(of_kind)} | {good} | {'; '.join(waiting)} |")
    good = sum(not one.differs for one in outcomes)
    say(f"| all | {len(outcomes)} | {good} | |")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

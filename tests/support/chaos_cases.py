"""Which calls of a scenario are rows of the matrix, and which cases of them need not be run. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum

from chaos_scenarios import Scenario
from faulty_aws import Call, Kind

_JOURNAL = "dynamodb:TransactWriteItems lease+journal"
_SECTIONS: Mapping[Scenario, tuple[str, str]] = {
    Scenario.SHIFTING: (f"{_JOURNAL}(traffic begun)", f"{_JOURNAL}(switch begun)"),
    Scenario.PROMOTING: (f"{_JOURNAL}(publish begun)", f"{_JOURNAL}(front done)"),
    Scenario.RELEASE: (f"{_JOURNAL}(release begun)", f"{_JOURNAL}(release done)"),
    Scenario.FLEX: (f"{_JOURNAL}(tasks begun)", ""),
    Scenario.UNHEALTHY: (f"{_JOURNAL}(verify failed)", ""),
    Scenario.ZAPPA_FIRST: (f"{_JOURNAL}(artifacts begun)", ""),
    Scenario.CHALICE_UPDATE: (f"{_JOURNAL}(artifacts begun)", ""),
}
"""The calls between which a scenario differs from the two that run whole."""
_WHOLE = {Scenario.ZAPPA_UPDATE, Scenario.CHALICE_FIRST}
_REFUSALS = (Kind.THROTTLED, Kind.ERROR, Kind.SILENCE)
"""Leave AWS as it was. The worker sees another error each."""
_LOSSES = (Kind.CUT, Kind.CUT_ONCE)
"""AWS has acted, and the worker does not know."""


class Skip(StrEnum):
    """Why a case is not run."""

    SAME = "="
    """Another case is the same by construction."""
    SAMPLED = "~"
    """Another kind of the same group is run for this call."""


def rows_of(scenario: Scenario, *runs: Sequence[Call]) -> tuple[Call, ...]:
    """Return the calls in order; where their number is unsteady (polls, receipts on the way), as many as any run made.

    The slow app is there for what only the heartbeat does, the collected one for what only the housekeeper does.
    """
    longest, *others = sorted(runs, key=len, reverse=True)
    rows = list(dict.fromkeys([*longest, *(call for other in others for call in other)]))
    if scenario is Scenario.COLLECTING:
        return tuple(call for call in rows if call.name.startswith("retention "))
    rows = [call for call in rows if not call.name.startswith("retention ")]
    if scenario is Scenario.SLOW:
        return tuple(call for call in rows if call.name in {"sqs:ChangeMessageVisibility", "dynamodb:PutItem lease"})
    if scenario.throttled:
        names = [str(call) for call in rows]
        rows = rows[names.index(str(scenario.throttled)) + 1 : names.index("sqs:ReceiveMessage #2") + 1]
    first, last = _SECTIONS.get(scenario, ("", ""))
    return tuple(call for call in _between(rows, first, last) if call.name != "sqs:ChangeMessageVisibility")


def _between(rows: Sequence[Call], first: str, last: str) -> Sequence[Call]:
    names = [call.name for call in rows]
    begin = names.index(first) if first else 0
    end = names.index(last, begin) + 1 if last else len(rows)
    return rows[begin:end]


def skipped(scenario: Scenario, rows: Sequence[Call]) -> Iterator[tuple[tuple[Call, Kind], Skip]]:
    """Yield the cases that need not be run.

    - A call that only reads leaves the same behind whether it was carried out or not: to be killed after it is to be
      killed before it, and a lost answer is a lost question.
    - A worker that is killed before a call leaves what one leaves that is killed after the call before: all that is in
      AWS. So each state between two calls that change something is left once.
    - Of what refuses a call, and of what loses an answer, each call gets one kind in turn; in the scenarios that are
      run whole, the first call of each name gets all.
    """
    tried: set[str] = set()
    for at, call in enumerate(rows):
        chosen = {group[at % len(group)] for group in (_REFUSALS, _LOSSES)}
        thorough = scenario in _WHOLE and call.name not in tried
        tried.add(call.name)
        for kind in Kind:
            if (call.reads and kind.acts) or (kind is Kind.KILL_BEFORE and at):
                yield (call, kind), Skip.SAME
            elif not (kind.kills or thorough or kind in chosen):
                yield (call, kind), Skip.SAMPLED

"""Figures of an outcome."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from checker.backlog import percentile
from checker.simulator.model import Fleet, SimulationOutcome


@dataclass(frozen=True, slots=True)
class ReportRow:
    """The figures of an outcome: wait and drop-to-done times in seconds, cost in dollars.

    ``busy`` is the share of machine time in which builds ran, successful or not. ``put_off``: how often a drop had to
    wait for the quota of API creation.
    """

    policy: str
    drops: int
    unfinished: int
    wait_p50: float | None
    wait_p95: float | None
    wait_p99: float | None
    done_p95: float | None
    machines: int
    most_machines: int
    machine_hours: float
    cost: float
    busy: float | None
    stopped_busy: int
    put_off: int = 0

    def as_dict(self) -> dict[str, object]:
        """Return the figures for JSON."""
        return asdict(self)


def row(outcome: SimulationOutcome, fleet: Fleet) -> ReportRow:
    """Summarize an outcome."""
    waits = outcome.waits()
    done = [job.finished - job.drop.at for job in outcome.jobs if job.finished is not None]
    built = sum(job.drop.seconds for job in outcome.jobs if job.finished is not None)
    seconds = outcome.machine_seconds()
    return ReportRow(
        policy=outcome.policy,
        drops=len(outcome.jobs),
        unfinished=len(outcome.jobs) - len(done),
        wait_p50=percentile(waits, 50) if waits else None,
        wait_p95=percentile(waits, 95) if waits else None,
        wait_p99=percentile(waits, 99) if waits else None,
        done_p95=percentile(done, 95) if done else None,
        machines=len(outcome.machines),
        most_machines=max((count for _, count in workers_over_time(outcome)), default=0),
        machine_hours=seconds / 3600,
        cost=outcome.cost(fleet),
        busy=built / fleet.slots / seconds if seconds else None,
        stopped_busy=outcome.killed,
        put_off=sum(job.put_offs for job in outcome.jobs),
    )


def queue_over_time(outcome: SimulationOutcome) -> list[tuple[float, int]]:
    """Return the number of waiting drops over time, as steps: (seconds, count from then on)."""
    falls = [(job.drop.at, 1) for job in outcome.jobs]
    return _steps(falls + [(job.started, -1) for job in outcome.jobs if job.started is not None])


def workers_over_time(outcome: SimulationOutcome) -> list[tuple[float, int]]:
    """Return the number of machines over time, booting or in service, as steps: (seconds, count from then on)."""
    return _steps([change for one in outcome.machines for change in ((one.ordered, 1), (one.stopped, -1))])


def _steps(changes: Sequence[tuple[float, int]]) -> list[tuple[float, int]]:
    count = 0
    steps: list[tuple[float, int]] = []
    for at, change in sorted(changes, key=lambda one: (one[0], one[1])):
        count += change
        if steps and steps[-1][0] == at:
            steps[-1] = (at, count)
        else:
            steps.append((at, count))
    return steps

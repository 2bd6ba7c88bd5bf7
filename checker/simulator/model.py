"""Input and output of a simulation. All times are seconds since the run began."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Arrival:
    """A zip that arrives at ``at`` and occupies one slot for ``seconds``; ``new_api``: it makes a REST API."""

    at: float
    seconds: float
    new_api: bool = False


@dataclass(frozen=True, slots=True)
class Fleet:
    """The machines of a fleet.

    Attributes:
        boot: seconds from the launch of a machine until its worker polls for messages.
        slots: concurrent builds on one machine.
        smallest: the minimum size.
        largest: the maximum size.
        price: dollars per machine-hour. EC2 bills by the second, at least ``billed_at_least``:
            https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-on-demand-instances.html
        visibility: seconds until the message of a worker that was stopped while busy is visible again.
        api_seconds: seconds between two REST APIs that the account may make; 0: no limit. A deployment of an API every
            5 s, an edge-optimized API every 30 s:
            https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
    """

    boot: float = 60.0
    slots: int = 1
    smallest: int = 0
    largest: int = 50
    price: float = 0.085
    billed_at_least: float = 60.0
    visibility: float = 120.0
    api_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class SimulatedJob:
    """A drop and its build; ``started`` is its last, successful start. None: not within the run.

    ``put_offs`` counts how often AWS refused to make its API yet.
    """

    drop: Arrival
    started: float | None
    finished: float | None
    interrupted: int = 0
    put_offs: int = 0

    @property
    def wait(self) -> float | None:
        """Seconds from the drop until its successful build began."""
        return None if self.started is None else self.started - self.drop.at


@dataclass(frozen=True, slots=True)
class SimulatedMachine:
    """A machine from launch to end; it received messages from ``ready`` on, unless it was stopped before."""

    ordered: float
    ready: float
    stopped: float


@dataclass(frozen=True, slots=True)
class SimulationOutcome:
    """The outcome of a run under one policy; ``killed`` counts machines that were stopped while busy."""

    policy: str
    jobs: tuple[SimulatedJob, ...]
    machines: tuple[SimulatedMachine, ...]
    killed: int = 0
    ended: float = field(default=0.0)

    def machine_seconds(self) -> float:
        """Return the machine time in seconds, with boot times."""
        return sum(machine.stopped - machine.ordered for machine in self.machines)

    def cost(self, fleet: Fleet) -> float:
        """Return the cost in dollars."""
        billed = sum(max(machine.stopped - machine.ordered, fleet.billed_at_least) for machine in self.machines)
        return billed / 3600 * fleet.price

    def waits(self) -> list[float]:
        """Return the wait times of finished drops, in seconds."""
        return [wait for job in self.jobs if job.finished is not None and (wait := job.wait) is not None]

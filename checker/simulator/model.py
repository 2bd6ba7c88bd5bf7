"""What goes in and what comes out. All times are seconds since the run began."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Arrival:
    """A zip that falls into the bucket at ``at`` and takes one slot ``seconds`` to build and deploy."""

    at: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Fleet:
    """The machines that a policy has to do with.

    Attributes:
        boot: seconds from the order of a machine until its worker asks for messages.
        slots: builds at a time on one machine.
        smallest: machines that are always there.
        largest: machines there can be at once.
        price: of a machine for an hour, in dollars. EC2 bills by the second, at least ``billed_at_least``:
            https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-on-demand-instances.html
        visibility: seconds until the message of a worker that was stopped while busy is seen again.
    """

    boot: float = 60.0
    slots: int = 1
    smallest: int = 0
    largest: int = 50
    price: float = 0.085
    billed_at_least: float = 60.0
    visibility: float = 120.0


@dataclass(frozen=True, slots=True)
class SimulatedJob:
    """A drop and what became of it; ``started`` is its last, successful start. None: not within the run."""

    drop: Arrival
    started: float | None
    finished: float | None
    interrupted: int = 0

    @property
    def wait(self) -> float | None:
        """Seconds from the drop until the build that went through began."""
        return None if self.started is None else self.started - self.drop.at


@dataclass(frozen=True, slots=True)
class SimulatedMachine:
    """From the order to the end; it took messages from ``ready`` on, unless it was stopped before."""

    ordered: float
    ready: float
    stopped: float


@dataclass(frozen=True, slots=True)
class SimulationOutcome:
    """A run under one policy: every drop is one of ``jobs``. ``killed`` counts machines stopped while busy."""

    policy: str
    jobs: tuple[SimulatedJob, ...]
    machines: tuple[SimulatedMachine, ...]
    killed: int = 0
    ended: float = field(default=0.0)

    def machine_seconds(self) -> float:
        """Seconds of machines, booting or not."""
        return sum(machine.stopped - machine.ordered for machine in self.machines)

    def cost(self, fleet: Fleet) -> float:
        """Dollars."""
        billed = sum(max(machine.stopped - machine.ordered, fleet.billed_at_least) for machine in self.machines)
        return billed / 3600 * fleet.price

    def waits(self) -> list[float]:
        """Seconds each finished drop waited."""
        return [wait for job in self.jobs if job.finished is not None and (wait := job.wait) is not None]

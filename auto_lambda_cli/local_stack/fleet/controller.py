"""The local fleet: policies, group and instances together, driven by the local stack."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from auto_lambda_cli.local_stack.embedded import EmbeddedAws
from auto_lambda_cli.local_stack.fleet.endpoint import endpoint
from auto_lambda_cli.local_stack.fleet.group import LocalGroup, Say
from auto_lambda_cli.local_stack.fleet.machine import WorkerHost
from auto_lambda_cli.local_stack.fleet.rules import Clients, Metric, read_rules, user_data
from auto_lambda_cli.local_stack.fleet.scaling import Scaling

BOOT = 3.0
"""Default boot time of an instance, in seconds: a real one takes a minute, which is long to watch."""


@dataclass(frozen=True, slots=True)
class FleetOptions:
    """The options of a fleet.

    Attributes:
        largest: the template's parameter `WorkersMax`; None: its default.
        boot_seconds: from the launch of an instance until its worker starts.
    """

    largest: int | None = None
    boot_seconds: float = BOOT

    @property
    def parameters(self) -> dict[str, str]:
        """The template's parameters."""
        return {} if self.largest is None else {"WorkersMax": str(self.largest)}


class LocalFleet:
    """A running fleet; `tick` it often, from the main thread.

    Attributes:
        group: its instances.
        url: the URL of the Auto Scaling emulator.
    """

    def __init__(self, group: LocalGroup, scaling: Scaling, url: str) -> None:
        self.group = group
        self.url = url
        self._scaling = scaling

    def tick(self) -> None:
        """Evaluate the metrics whose periods are over, and start and stop instances.

        Raises:
            Hopeless: one instance after the other fails.
        """
        for wish in self._scaling.wishes(time.time(), self.group.size):
            self.group.set_desired(wish.desired, wish.why)
        self.group.tick()


@contextmanager
def fleet(
    clients: Clients, stack: str, name: str, embedded: EmbeddedAws, options: FleetOptions, *,
    folder: Path, environ: Callable[[Mapping[str, str], str], Mapping[str, str]], say: Say,
) -> Iterator[LocalFleet]:  # fmt: skip
    """Run a fleet for the group ``name`` of a ``stack``, empty at first; at the end its instances are stopped.

    Args:
        clients: makes clients of the embedded AWS.
        stack: the pipeline's stack.
        name: the group's name.
        embedded: the embedded AWS.
        options: the fleet's options.
        folder: for logs and work folders.
        environ: makes a worker's environment from the settings in the user data and the URL of the emulator.
        say: prints each decision.

    Raises:
        NotDoubled: see there.
    """
    rules = read_rules(clients, name, stack)
    told = user_data(clients, stack, "WorkerTemplate")

    def host(machine: Any) -> WorkerHost:
        return WorkerHost(machine, folder, environ(told, url))

    group = LocalGroup(rules, host, options.boot_seconds, lambda text: say(f"fleet: {text}"))
    with endpoint(group, embedded.endpoint, embedded.secret) as url:
        say(
            f"an Auto Scaling emulator follows the policies of group {name}: "
            f"{rules.smallest} to {rules.largest} instances, each boots for {options.boot_seconds:g} s"
        )
        try:
            yield LocalFleet(group, Scaling(rules, partial(_datapoint, clients("cloudwatch")), time.time()), url)
        finally:
            group.end()


def _datapoint(cloudwatch: Any, metric: Metric, start: float) -> float | None:
    answer = cloudwatch.get_metric_statistics(
        Namespace=metric.namespace,
        MetricName=metric.name,
        Dimensions=[{"Name": key, "Value": value} for key, value in metric.dimensions],
        StartTime=datetime.fromtimestamp(start, UTC),
        EndTime=datetime.fromtimestamp(start + metric.period, UTC),
        Period=metric.period,
        Statistics=[metric.statistic],
    )
    return next((float(point[metric.statistic]) for point in answer["Datapoints"]), None)

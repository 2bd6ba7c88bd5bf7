"""Comparing policies under one load."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from checker.simulator import bounds
from checker.simulator.controllers import run
from checker.simulator.model import Arrival, Fleet, SimulationOutcome
from checker.simulator.policies import OTHERS, Policy

BOUNDS = {"clairvoyant": bounds.clairvoyant, "prompt": bounds.prompt}


def known(ours: Policy) -> Mapping[str, Policy | None]:
    """Return every policy by its name, in the order of the report; None is a bound."""
    return {**dict.fromkeys(BOUNDS), **{policy.name: policy for policy in (ours, *OTHERS)}}


def compare(
    drops: Sequence[Arrival], fleet: Fleet, chosen: Iterable[tuple[str, Policy | None]], seed: int = 0
) -> list[SimulationOutcome]:
    """Simulate the same drops under each of the policies.

    Args:
        drops: ordered by time.
        fleet: the machines.
        chosen: entries of `known`.
        seed: the seed of random choices.
    """
    return [
        BOUNDS[name](drops, fleet) if policy is None else run(policy, drops, fleet, seed) for name, policy in chosen
    ]

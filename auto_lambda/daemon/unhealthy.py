"""Marks this instance as unhealthy, so that its group replaces it (`autolambda-unhealthy@.service`)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Protocol

from auto_lambda import logs
from auto_lambda.aws.autoscaling import Member
from auto_lambda.aws.metadata import Metadata, NoMetadata

_log = logs.get("unhealthy")


class InstanceMetadata(Protocol):
    """The metadata of this instance; every call may raise `NoMetadata`."""

    def instance(self) -> str: ...  # noqa: D102
    def region(self) -> str: ...  # noqa: D102
    def terminating(self) -> bool: ...  # noqa: D102


Find = Callable[[str, str], Member | None]
"""Finds an instance in its group, by its id and region."""


def tell(unit: str, machine: InstanceMetadata, find: Find) -> bool:
    """Mark this instance as unhealthy, unless it has no group or is terminating, and tell whether that was done.

    Args:
        unit: the unit that has failed.
        machine: this instance.
        find: finds its group; exceptions are botocore's.
    """
    try:
        instance, region, leaves = machine.instance(), machine.region(), machine.terminating()
    except NoMetadata:
        return False
    member = None if leaves else find(instance, region)
    if member is None:
        return False
    member.mark_unhealthy()
    _log.error("marked this instance as unhealthy", unit=unit, instance=instance)
    return True


def main(arguments: Sequence[str]) -> int:
    """Run ``python -m auto_lambda.daemon.unhealthy UNIT``; returns 0, also without a group, and 1 if it failed."""
    logs.configure()
    try:
        tell(arguments[0], Metadata(), _find)
    except Exception as error:  # noqa: BLE001 - throttled, refused: the unit is restarted
        _log.warning("marking this instance as unhealthy failed", unit=arguments[0], error=str(error))
        return 1
    return 0


def _find(instance: str, region: str) -> Member | None:
    from auto_lambda.aws.lean import make_lean_session
    from auto_lambda.aws.session import client

    return Member.find(client(make_lean_session(region, ("autoscaling",)), "autoscaling"), instance)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Tells the group that this machine is of no use, so that another one replaces it (`autolambda-unhealthy@.service`)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Protocol

from auto_lambda import logs
from auto_lambda.aws.autoscaling import Member
from auto_lambda.aws.metadata import Metadata, NoMetadata

_log = logs.get("unhealthy")


class InstanceMetadata(Protocol):
    """What the machine is told; every call may raise `NoMetadata`."""

    def instance(self) -> str: ...  # noqa: D102
    def region(self) -> str: ...  # noqa: D102
    def terminating(self) -> bool: ...  # noqa: D102


Find = Callable[[str, str], Member | None]
"""Finds a machine in its group, from its id and region."""


def tell(unit: str, machine: InstanceMetadata, find: Find) -> bool:
    """Whether the group was told. It is not where there is none, nor where it ends the machine already.

    Args:
        unit: what has failed.
        machine: this one.
        find: see there; what it raises is botocore's.
    """
    try:
        instance, region, leaves = machine.instance(), machine.region(), machine.terminating()
    except NoMetadata:
        return False
    member = None if leaves else find(instance, region)
    if member is None:
        return False
    member.mark_unhealthy()
    _log.error("this machine is of no use", unit=unit, instance=instance)
    return True


def main(arguments: Sequence[str]) -> int:
    """``python -m auto_lambda.unhealthy UNIT``: 0, also where there is no group; 1 when it could not be told."""
    logs.configure()
    try:
        tell(arguments[0], Metadata(), _find)
    except Exception as error:  # noqa: BLE001 - throttled, refused: the unit tries it again
        _log.warning("the group was not told", unit=arguments[0], error=str(error))
        return 1
    return 0


def _find(instance: str, region: str) -> Member | None:
    from auto_lambda.aws.lean import make_lean_session
    from auto_lambda.aws.session import client

    return Member.find(client(make_lean_session(region, ("autoscaling",)), "autoscaling"), instance)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""How a task ends that cannot serve: a message for people, and an exit status that says why."""

from __future__ import annotations

from enum import IntEnum


class ExitStatus(IntEnum):
    """The exit status, which ECS shows as the container's exit code."""

    STOPPED = 0
    NOWHERE = 10
    BAD_TASK = 11
    ARTEFACT_MISSING = 12
    ARTEFACT_DIFFERS = 13
    CANNOT_UNPACK = 14
    CANNOT_LISTEN = 15
    APP_DOES_NOT_LOAD = 16
    APP_TOO_SLOW = 17


class CannotServe(Exception):
    """The task ends.

    Args:
        exit_status: says why.
        message: what is wrong and, where it helps, what to do.
    """

    def __init__(self, exit_status: ExitStatus, message: str) -> None:
        super().__init__(message)
        self.exit_status = exit_status

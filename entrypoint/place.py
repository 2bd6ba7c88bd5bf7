"""Where the program runs, and where things are there."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from entrypoint.failures import CannotServe, ExitStatus
from entrypoint.task import VARIABLE

RUNTIME_API = "AWS_LAMBDA_RUNTIME_API"
ECS = "ECS_CONTAINER_METADATA_URI_V4"
ROOT = "AUTO_LAMBDA_ROOT"
LISTEN = "AUTO_LAMBDA_LISTEN"
OURS = frozenset({VARIABLE, ROOT, LISTEN})
"""Variables that no function has, and that the app does not get."""


def place(environ: Mapping[str, str]) -> Literal["lambda", "task"]:
    """Tell where the program runs.

    Raises:
        CannotServe: neither on Lambda nor in a task that is described.
    """
    if environ.get(RUNTIME_API):
        return "lambda"
    if environ.get(VARIABLE):
        return "task"
    if environ.get(ECS):
        raise CannotServe(ExitStatus.BAD_TASK, f"this is a task of ECS without {VARIABLE}, which says what to run")
    raise CannotServe(
        ExitStatus.NOWHERE, f"this is neither Lambda ({RUNTIME_API} is not set) nor a task ({VARIABLE} is not)"
    )


@dataclass(frozen=True, slots=True)
class Folders:
    """Where Lambda has an app's code, its layers, and the runtime; below another root where several share a machine."""

    root: Path
    runtime: Path

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Folders:
        """Return those that the environment names, Lambda's own by default."""
        root = Path(environ.get(ROOT) or "/")
        return cls(root, Path(environ.get("LAMBDA_RUNTIME_DIR") or "/var/runtime"))

    @property
    def task(self) -> Path:
        """The app's code: /var/task."""
        return self.root / "var" / "task"

    @property
    def opt(self) -> Path:
        """The content of its layers: /opt."""
        return self.root / "opt"

    @property
    def python(self) -> tuple[str, ...]:
        """The folders in which layers have Python packages."""
        minor = "python{}.{}".format(*sys.version_info)
        return str(self.opt / "python" / "lib" / minor / "site-packages"), str(self.opt / "python")


def address(environ: Mapping[str, str], port: int) -> tuple[str, int]:
    """Return host and port to listen on.

    A container has a network interface of its own, which the load balancer's security group alone reaches; where
    several tasks share a machine, its owner says where each listens.

    Raises:
        CannotServe: what is said is no address.
    """
    given = environ.get(LISTEN)
    if not given:
        return "0.0.0.0", port  # noqa: S104
    host, _, number = given.rpartition(":")
    if not host or not number.isascii() or not number.isdecimal() or int(number) > 65535:
        raise CannotServe(ExitStatus.BAD_TASK, f"{LISTEN} has to be like 127.0.0.1:8080, and is {given!r}")
    return host, int(number)

"""A machine of the local fleet: a worker process that is told by a metadata service of its own which machine it is."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from auto_lambda_cli.local_stack.fleet.group import Instance
from auto_lambda_cli.local_stack.imds import imds
from auto_lambda_cli.local_stack.processes import Child, tail


class WorkerHost:
    """One computer.

    Args:
        machine: what the group knows of it.
        folder: for its log and its work folder.
        environ: of its worker.
    """

    def __init__(self, machine: Instance, folder: Path, environ: Mapping[str, str]) -> None:
        self._undo = ExitStack()
        metadata = self._undo.enter_context(imds())
        metadata.values = {"instance-id": machine.id}
        metadata.answers = {"autoscaling/target-lifecycle-state": lambda: machine.target}
        work = folder / "work" / machine.id
        work.mkdir(parents=True)
        self._undo.callback(shutil.rmtree, work, ignore_errors=True)
        its_own = {**metadata.environ, "AWS_EC2_METADATA_DISABLED": "false", "AUTO_LAMBDA_WORK_DIR": str(work)}
        self._child = Child(f"worker on {machine.id}", "worker", folder / f"{machine.id}.log", {**environ, **its_own})

    def boot(self) -> None:
        """Start the worker."""
        self._child.start()

    def is_ready(self) -> bool:
        """Whether it is at work."""
        return self._child.is_ready()

    def ended(self) -> int | None:
        """How it ended; None as long as it runs."""
        return self._child.returncode()

    def last_words(self) -> str:
        """The end of its log."""
        return tail(self._child.log)

    def ask_to_stop(self) -> None:
        """SIGTERM, as when a machine shuts down."""
        self._child.ask_to_stop()

    def end(self) -> None:
        """Now, whatever it does."""
        self._child.end(0)
        self._undo.close()

"""An instance of the local fleet: a worker process with a metadata service of its own."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from auto_lambda_cli.local_stack.fleet.group import Instance
from auto_lambda_cli.local_stack.imds import imds
from auto_lambda_cli.local_stack.processes import Child, tail


class WorkerHost:
    """The host of one instance.

    Args:
        machine: the instance, as the group sees it.
        folder: for its log and work folder.
        environ: the worker's environment.
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
        """Tell whether the worker is ready."""
        return self._child.is_ready()

    def ended(self) -> int | None:
        """Return the worker's exit code; None while it runs."""
        return self._child.returncode()

    def last_words(self) -> str:
        """Return the end of the worker's log."""
        return tail(self._child.log)

    def ask_to_stop(self) -> None:
        """Send SIGTERM, as when an instance shuts down."""
        self._child.ask_to_stop()

    def end(self) -> None:
        """Kill the worker at once."""
        self._child.end(0)
        self._undo.close()

"""What the stages of a run work with: the command line, a worker on this machine, the clients of the account."""

from __future__ import annotations

import json
import re
import secrets
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from e2e_stack import make_zip

from auto_lambda_cli.local_stack.processes import Child
from auto_lambda_cli.pipeline import naming
from auto_lambda_cli.running_stacks import RunningStack
from e2e_aws.model import StageFailed, expect
from e2e_aws.place import Place

AUTO_LAMBDA = Path(sys.executable).with_name("auto-lambda")
TAG = "auto-lambda:run"
NAME = re.compile(r"e2e-[0-9a-f]{8}")
"""Of a run, of its pipeline, and of the stage of its apps. Nothing else is ever deleted."""


def new_name() -> str:
    """Return the name of a new run."""
    return f"e2e-{secrets.token_hex(4)}"


class Run:
    """A run: its name is that of the pipeline that it launches, and of the stage that its apps are dropped for.

    Args:
        place: where it takes place.
        name: as `new_name` makes it.
        folder: for logs and zips.
        say: tells the person who waits.
    """

    def __init__(self, place: Place, name: str, folder: Path, say: Callable[[str], None]) -> None:
        if not NAME.fullmatch(name):
            raise ValueError(f"not the name of a run: {name}")
        self.place = place
        self.name = name
        self.folder = folder
        self.say = say
        self.settings: dict[str, str] = {}
        """What the worker on this machine gets beside the pipeline's settings."""
        self._worker: Child | None = None
        self._outputs: dict[str, str] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def cli(self, *arguments: str, code: int | None = 0, seconds: float = 7200) -> subprocess.CompletedProcess[str]:
        """Run the command line; the stage fails if the exit code is another one. What it says goes into the log."""
        environ = {**self.place.environ, "XDG_STATE_HOME": str(self.folder / "state")}
        done = subprocess.run(
            [AUTO_LAMBDA, *arguments], env=environ, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=seconds, check=False,
        )  # fmt: skip
        with (self.folder / "commands.log").open("a") as log:
            log.write(f"$ auto-lambda {' '.join(arguments)}\n{done.stderr}{done.stdout}[exit code {done.returncode}]\n")
        if code is not None and done.returncode != code:
            raise StageFailed(f"auto-lambda {' '.join(arguments)}: exit code {done.returncode}\n{done.stderr[-2000:]}")
        return done

    def pipeline(self, command: str, *arguments: str, code: int | None = 0) -> Any:
        """Run ``auto-lambda pipeline`` for this run's pipeline, and return its JSON."""
        told = self.cli("pipeline", command, "--name", self.name, *arguments, "--json", code=code).stdout
        return json.loads(told) if told else None

    @property
    def outputs(self) -> dict[str, str]:
        """The outputs of the pipeline's stacks."""
        if not self._outputs:
            self._outputs = self.pipeline("status", code=None)["outputs"]
        return self._outputs

    def changed(self) -> None:
        """Forget what was known of the pipeline."""
        self._outputs = {}

    def zipped(self, app: str, files: Mapping[str, str | bytes] | bytes) -> Path:
        """Write an app's zip."""
        path = self.folder / f"{app}.zip"
        path.write_bytes(files if isinstance(files, bytes) else make_zip(files))
        return path

    def drop(
        self, app: str, files: Mapping[str, str | bytes] | bytes, status: str = "live", stage: str | None = None
    ) -> Any:
        """Drop an app, follow it, and return its receipt, whose status has to be this one."""
        return self.follow("deploy", str(self.zipped(app, files)), "--name", app, status=status, stage=stage)

    def follow(self, command: str, *arguments: str, status: str, stage: str | None = None) -> Any:
        """Run a command that follows an app, and return the receipt, whose status has to be this one."""
        bucket = self.outputs["UploadsBucket"]
        done = self.cli(command, *arguments, "--stage", stage or self.name, "--bucket", bucket, "--json", code=None)
        receipt: Any = json.loads(done.stdout) if done.stdout else None
        expect(receipt, f"auto-lambda {command} {arguments[0]}: no receipt\n{done.stderr[-2000:]}")
        expect(receipt["status"] == status, f"{command} {arguments[0]} is {receipt['status']}: {receipt['error']}")
        return receipt

    def worker(self) -> Child:
        """Return the worker on this machine, started with the credentials of the workers' role if it does not run."""
        if self._worker is None or self._worker.returncode() is not None:
            self.stop_worker()
            self._worker = self._new_worker()
            self._worker.start()
            self._worker.wait_until_ready(300)
        return self._worker

    @property
    def worker_log(self) -> Path:
        """The log of the worker."""
        return self.folder / "worker.log"

    def worker_environ(self) -> dict[str, str]:
        """Return the environment of a worker: the role's credentials, and the settings that the stacks have."""
        role = naming.roles(self.name, self.place.region)[0]
        arn = self.place.client("iam").get_role(RoleName=role)["Role"]["Arn"]
        stack = RunningStack.from_outputs(self.outputs, endpoint="", secret="", folder=self.folder)
        settings = {name: value for name, value in stack.environ.items() if name.startswith("AUTO_LAMBDA_")}
        return {**self.place.as_role(arn, self.name), **settings, "AUTO_LAMBDA_UNDEPLOY_ON_DELETE": "true"}

    def _new_worker(self) -> Child:
        work = self.folder / "work"
        work.mkdir(exist_ok=True)
        settings = {
            "AUTO_LAMBDA_WORK_DIR": str(work), "AUTO_LAMBDA_DRAIN_SECONDS": "5", "AUTO_LAMBDA_RETAIN_RELEASES": "1",
        }  # fmt: skip
        if self.place.rehearsal:
            settings["AUTO_LAMBDA_POLL_SECONDS"] = "1"
        return Child("worker", "worker", self.worker_log, {**self.worker_environ(), **settings, **self.settings})

    def stop_worker(self) -> None:
        """Stop the worker, if it runs; what it is building goes back to the queue."""
        if self._worker:
            self._worker.ask_to_stop()
            self._worker.end(60)
            self._worker = None

    def tag(self) -> dict[str, str]:
        """Return the tag of all that belongs to the run."""
        return {TAG: self.name}

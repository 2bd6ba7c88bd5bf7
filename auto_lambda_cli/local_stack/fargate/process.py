"""A task as a process of this machine: the container's own command, with its environment and a port of its own."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TASK = "AUTO_LAMBDA_TASK"  # what the entrypoint reads; containers without it are not run
_HOST = "127.0.0.1"
_LABEL = "auto-lambda.python"
_MINOR = re.compile(r":(3\.\d+)")
_PYTHON = re.compile(r"python(3(\.\d+)?)?")


def environment(definition: Mapping[str, Any]) -> dict[str, str]:
    """Return what a task definition puts into the environment of its first container."""
    return {one["name"]: one["value"] for one in definition["containerDefinitions"][0].get("environment", [])}


def is_ours(definition: Mapping[str, Any]) -> bool:
    """Tell whether the entrypoint is what a task definition runs."""
    return bool(definition.get("containerDefinitions")) and TASK in environment(definition)


def minor_of(definition: Mapping[str, Any], default: str) -> str:
    """Return the Python version of a container: its label says it, else the tag of its image."""
    container = definition["containerDefinitions"][0]
    found = _MINOR.search(str(container.get("image", "")))
    return str((container.get("dockerLabels") or {}).get(_LABEL) or (found[1] if found else default))


def command_of(definition: Mapping[str, Any], python: Path) -> list[str]:
    """Return the command of a container, with this machine's interpreter in place of the image's."""
    container = definition["containerDefinitions"][0]
    words = [*(container.get("entryPoint") or ()), *(container.get("command") or ())]
    first, *rest = words or ["python", "-m", "entrypoint"]
    return [str(python) if _PYTHON.fullmatch(Path(first).name) else first, *rest]


def environ_of(definition: Mapping[str, Any], aws: Mapping[str, str], port: int, home: Path) -> dict[str, str]:
    """Return the environment of a task: its own, what points it to the embedded AWS, and little else."""
    own = environment(definition)
    task = {**json.loads(own[TASK]), "port": port}
    here = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(home),
        "TMPDIR": str(home),
        "TZ": ":UTC",
        "LANG": "en_US.UTF-8",
        "ECS_CONTAINER_METADATA_URI_V4": f"http://{_HOST}:9/v4/{home.name}",
        "AUTO_LAMBDA_ROOT": str(home),
        "AUTO_LAMBDA_LISTEN": f"{_HOST}:{port}",
        "PYTHONUNBUFFERED": "1",
    }
    return {**here, **own, **aws, TASK: json.dumps(task)}


@dataclass
class TaskProcess:
    """A running task. It gets SIGTERM when the thread that started it ends, however that ends."""

    port: int
    log: Path
    _process: subprocess.Popen[bytes]

    @classmethod
    def start(
        cls,
        definition: Mapping[str, Any],
        python: Callable[[str], Path],
        default: str,
        aws: Mapping[str, str],
        home: Path,
    ) -> TaskProcess:
        """Start the container of a task definition.

        Args:
            definition: as ECS describes it.
            python: returns the interpreter for a Python version.
            default: the version for images whose tag names none.
            aws: the variables that point to the embedded AWS.
            home: the task's folder, which is made.
        """
        home.mkdir(parents=True)
        port = _free_port()
        log = home / "task.log"
        command = command_of(definition, python(minor_of(definition, default)))
        child = [sys.executable, "-I", "-m", "auto_lambda_cli.local_stack.child", str(os.getpid()), "--", *command]
        with log.open("wb") as output:
            process = subprocess.Popen(
                child,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=home,
                env=environ_of(definition, aws, port, home),
                start_new_session=True,
            )
        return cls(port, log, process)

    @property
    def address(self) -> str:
        """The address that it listens on."""
        return _HOST

    def returncode(self) -> int | None:
        """Return its exit code, None while it runs."""
        return self._process.poll()

    def terminate(self) -> None:
        """Send SIGTERM, if it is running."""
        if self.returncode() is None:
            self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Kill it with all that it has started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        return int(probe.getsockname()[1])

"""Composition of what has apps built, from a worker's settings."""

from __future__ import annotations

import os
import re
import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from auto_lambda import logs
from auto_lambda.daemon.service import runtime_folder
from auto_lambda.settings import WorkerSettings
from auto_lambda.tools import ToolEnvironments
from worker.builds.action_cache import ActionCache
from worker.builds.client import Builds, check_isolation
from worker.builds.conversation import BuilderServices, BuildTrouble
from worker.builds.eviction import Evictor
from worker.builds.launcher import DirectLauncher, Launcher, SocketLauncher, Walls
from worker.builds.spares import Spares
from worker.builds.toolchain import IndexGate, Machine
from worker.builds.wheel_store import NoWheelStore, WheelStore
from worker.index.hosts import discover
from worker.index.pip_configuration import PipConfiguration

_MEGABYTE = 1024 * 1024
_WITHOUT = "AUTO_LAMBDA_SANDBOX=off works without it, where every uploader may do what this worker may"
# What bubblewrap says of a system's file that was replaced just then, as by a package that is being installed.
_NOT_MOUNTED = "Can't bind mount"
_ATTEMPTS = 3

_log = logs.get("builder")


class MisconfiguredMachine(Exception):
    """This machine cannot do what the settings ask for; ``problems`` says what, one sentence each."""

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Building:
    """Has apps built, and keeps its cache within bounds."""

    builds: Builds
    evictor: Evictor


@contextmanager
def open_building(chosen: WorkerSettings, folder: Path, wheels: WheelStore) -> Iterator[Building]:
    """Have builders stand by.

    Args:
        chosen: the settings.
        folder: an existing folder for what builders write.
        wheels: where all workers keep the wheels that were built.

    Raises:
        MisconfiguredMachine: builders cannot isolate untrusted code here.
    """
    evictor = Evictor(chosen.cache, chosen.cache_mb * _MEGABYTE)
    cache = ActionCache(evictor.actions, wheels, worker=socket.gethostname())
    machine = Machine(ToolEnvironments(chosen.cache / "tools"), chosen.sandbox, chosen.region, os.environ)
    machine.tools.prepare()  # a builder sees what is there when it starts
    hosts = tuple(re.findall(r"[^\s,]+", (chosen.index_hosts or "").lower()))
    configuration = PipConfiguration(os.environ)
    gate = IndexGate(partial(discover, os.environ, hosts, configuration.options), runtime_folder())
    with ExitStack() as closing:
        closing.callback(gate.close)
        visible = (*machine.visible(), cache.folder, gate.folder)
        launcher = make_launcher(chosen.sandbox, chosen.builder_socket, folder, visible)
        if missing := launcher.walls.missing():
            _log.warning("a wall is missing", wall=missing)
        spares = Spares(launcher, chosen.spare_builders)
        closing.callback(spares.close)
        services = BuilderServices(spares, cache, machine)
        _see_that_it_isolates(services, launcher, chosen)
        spares.start()
        closing.callback(configuration.read_ahead().join)
        yield Building(Builds(services, gate), evictor)


def make_launcher(sandbox: str, socket_path: Path | None, folder: Path, visible: tuple[Path, ...]) -> Launcher:
    """Return what starts builders here.

    Args:
        sandbox: as the settings have it.
        socket_path: where systemd starts builders, None where the worker does.
        folder: an existing folder for what builders write.
        visible: folders that builders see besides the system and the code.
    """
    if socket_path:
        return SocketLauncher(socket_path)
    return DirectLauncher(folder, visible, isolate=sandbox != "off")


def probe(sandbox: str, socket_path: Path | None) -> tuple[Walls, str | None]:
    """Start a builder as a worker with these settings would, and ask it.

    Returns:
        The walls around it, and why it cannot isolate untrusted code, None if it can, or need not.

    Raises:
        BuildTrouble: no builder answers.
    """
    with tempfile.TemporaryDirectory() as folder:
        machine = Machine(ToolEnvironments(), sandbox, "us-east-1", {})
        launcher = make_launcher(sandbox, socket_path, Path(folder), machine.visible())
        cache = ActionCache(Path(folder, "actions"), NoWheelStore())
        return launcher.walls, isolation_problem(
            BuilderServices(Spares(launcher, 0), cache, machine), launcher, sandbox
        )


def _see_that_it_isolates(services: BuilderServices, launcher: Launcher, chosen: WorkerSettings) -> None:
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            problem = isolation_problem(services, launcher, chosen.sandbox)
            told = f"{problem}. {_WITHOUT}"
        except BuildTrouble as error:
            problem = told = str(error)
        if problem is None:
            return
        if _NOT_MOUNTED not in problem or attempt == _ATTEMPTS:
            raise MisconfiguredMachine(told)
        _log.warning("isolation is tried again", problem=problem)


def isolation_problem(services: BuilderServices, launcher: Launcher, sandbox: str) -> str | None:
    """Return why untrusted code cannot be isolated here, None if it can, or need not.

    Raises:
        BuildTrouble: no builder answers.
    """
    if sandbox != "off" and not launcher.walls.isolated:
        return "bubblewrap is not installed: `apt-get install bubblewrap` or `dnf install bubblewrap`"
    return check_isolation(services)

"""Builders that do as a test says: each is a thread at the other end of a builder's connection."""

from __future__ import annotations

import contextlib
import hashlib
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from auto_lambda.model import Architecture, FrameworkName, GuessedSettings
from auto_lambda.tools import ToolEnvironments
from builder.protocol.channel import Channel, WireMessage
from builder.protocol.messages import AppRequest, File, Step
from worker.builds.action_cache import ActionCache
from worker.builds.conversation import BuilderServices
from worker.builds.launcher import MAX_SENT, Walls
from worker.builds.spares import Spares
from worker.builds.toolchain import Machine
from worker.builds.wheel_store import NoWheelStore, WheelStore

REQUEST = AppRequest(name="shop", stage="dev", python="3.12", pythons=["3.12"], today="2026-01-01")
PROOF = {"init_ms": 1, "package_bytes": 1, "package_zip_bytes": 1}


class FakeBuilder:
    """A builder's end of the connection.

    Attributes:
        connection: the bare socket, for what no builder should send.
        request: the first message.
    """

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.channel = Channel(connection)
        self.request: Mapping[str, Any] = {}

    def hear(self) -> WireMessage:
        """Return the next message; OSError when the worker is gone."""
        message = self.channel.receive()
        if message is None:
            raise ConnectionError
        return message

    def tell(self, event: str, files: tuple[int, ...] = (), **fields: Any) -> None:
        """Send an event."""
        self.channel.send({"event": event, **fields}, files)

    def built(self, files: Mapping[str, bytes], **fields: Any) -> None:
        """End with an app."""
        self._end({**built(), **fields}, files)

    def done(self, files: Mapping[str, bytes], **fields: Any) -> None:
        """End with an action's result."""
        self._end({"event": "done", **fields}, files)

    def _end(self, event: dict[str, Any], files: Mapping[str, bytes]) -> None:
        with opened(*files.values()) as descriptors:
            self.channel.send({"files": [described(*one) for one in files.items()], **event}, descriptors)


Script = Callable[[FakeBuilder], object]
"""What a builder does once it has its request; the connection is closed afterwards."""


class FakeRunning:
    """A `BuilderProcess` that is a thread."""

    def __init__(self, script: Script) -> None:
        ours, theirs = socket.socketpair()
        self.channel = Channel(ours, max_total=MAX_SENT)
        self.ended = 0
        self._thread = threading.Thread(target=self._run, args=(theirs, script), daemon=True)
        self._thread.start()

    def _run(self, connection: socket.socket, script: Script) -> None:
        builder = FakeBuilder(connection)
        # A script fails where the worker does not wait for its end.
        with contextlib.suppress(OSError), builder.channel:
            message = builder.hear()
            message.close()
            builder.request = message.content
            script(builder)

    def alive(self) -> bool:
        """As `BuilderProcess.alive`."""
        return self._thread.is_alive()

    def end(self) -> str:
        """As `BuilderProcess.end`."""
        self.ended += 1
        self.channel.close()
        self._thread.join(20)
        assert not self._thread.is_alive()
        return ""


class FakeLauncher:
    """Starts builders that do as they are told: the first script for the first one; the last one for all others."""

    walls = Walls(isolated=True, own_user=True)

    def __init__(self, *scripts: Script) -> None:
        self._scripts = scripts
        self.launched: list[FakeRunning] = []
        self._lock = threading.Lock()

    def launch(self) -> FakeRunning:
        """As `Launcher.launch`."""
        with self._lock:
            running = FakeRunning(self._scripts[min(len(self.launched), len(self._scripts) - 1)])
            self.launched.append(running)
            return running


class RecordingListener:
    """Remembers what it hears; raises ``stop`` at the check or the event of that number."""

    def __init__(self, stop: BaseException | None = None, after: int = 0) -> None:
        self.steps: list[str] = []
        self.said: list[str] = []
        self.warnings: list[str] = []
        self.targets: list[tuple[str, str, str]] = []
        self.settings: list[GuessedSettings] = []
        self.stop = stop
        self.after = after

    def step(self, step: Step) -> None:
        """As `BuildListener.step`."""
        self.steps.append(step)

    def say(self, text: str) -> None:
        """As `BuildListener.say`."""
        self.said.append(text)

    def warn(self, text: str) -> None:
        """As `BuildListener.warn`."""
        self.warnings.append(text)

    def recognised(self, framework: FrameworkName, python: str, architecture: Architecture) -> None:
        """As `BuildListener.recognised`."""
        self.targets.append((framework, python, architecture))

    def guessed(self, settings: GuessedSettings) -> None:
        """As `BuildListener.guessed`."""
        self.settings.append(settings)

    def heard(self) -> int:
        """Count the events."""
        return len(self.steps) + len(self.said) + len(self.warnings) + len(self.targets)

    def check(self) -> None:
        """As `BuildListener.check`."""
        if self.stop and self.heard() >= self.after:
            raise self.stop


def services(folder: Path, *scripts: Script, wheels: WheelStore | None = None, seconds: float = 60) -> BuilderServices:
    """Serve such builders; ``services.spares`` starts them one by one."""
    return services_of(folder, FakeLauncher(*scripts), wheels=wheels, seconds=seconds)


def services_of(folder: Path, launcher: Any, wheels: WheelStore | None = None, seconds: float = 60) -> BuilderServices:
    """Serve a launcher's builders."""
    machine = Machine(ToolEnvironments(folder / "tools", baked=None), "off", "eu-west-1", {})
    cache = ActionCache(folder / "actions", wheels or NoWheelStore(), worker="tester")
    return BuilderServices(Spares(launcher, 0), cache, machine, max_seconds=seconds)


def built(**fields: Any) -> dict[str, Any]:
    """Return an `AppBuilt` as JSON, without files."""
    return {
        "event": "built", "framework": "chalice", "python": "3.12", "architecture": "x86_64", "template": {},
        "main": "Main", "url": None, "notifications": [], "environment": {}, "health_path": "/", "lock": "",
        "asked": True, "shared_layer": None, "proof": PROOF, **fields,
    }  # fmt: skip


def described(name: str, content: bytes) -> dict[str, Any]:
    """Return a `File` as JSON."""
    return File(name=name, size=len(content), sha256=hashlib.sha256(content).hexdigest()).model_dump()


@contextmanager
def opened(*contents: bytes) -> Iterator[tuple[int, ...]]:
    """Give open files without a name."""
    with contextlib.ExitStack() as closing:
        descriptors = []
        for content in contents:
            file = closing.enter_context(tempfile.TemporaryFile())
            file.write(content)
            file.flush()
            file.seek(0)
            descriptors.append(file.fileno())
        yield tuple(descriptors)


def descriptors() -> set[str]:
    """Return this process's open descriptors: what each is, by number."""
    found = set()
    for path in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            found.add(f"{path.name} {path.readlink()}")
    return {one for one in found if not one.endswith("/fd")}


def processes_of(user: int) -> list[str]:
    """Return the living processes of a user."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (
                process.stat().st_uid == user
                and (process / "stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
            ):
                found.append((process / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue  # gone
    return found

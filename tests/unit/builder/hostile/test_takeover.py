"""A builder that hostile code has taken over, outside any sandbox: it gets at nothing that is not its own."""

from __future__ import annotations

import json
import os
import pwd
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import takeover
from builders import processes_of

import builder
import worker
from auto_lambda.files import remove_tree
from worker.builds.launcher import BuilderProcess, DirectLauncher
from worker.builds.toolchain import IndexGate
from worker.index.hosts import Indexes, discover

ROOT = os.geteuid() == 0
PROBE = Path(takeover.__file__)
PROGRAM = (sys.executable, "-I", str(PROBE))
SECONDS = 60.0


def secret() -> str:
    return f"takeover-{secrets.token_hex(16)}"


def attacked(running: BuilderProcess, wanted: Mapping[str, Any]) -> Any:
    running.channel.send(wanted)
    message = running.channel.receive(SECONDS)
    assert message, running.end()
    return message.content


class Machine:
    """A worker's machine: things to find, and two builders that look for them.

    Attributes:
        report: what the first builder came to.
        other: likewise, the second one, which ran at the same time.
        left: processes of a builder's user when its room is removed.
        rooms: what builders wrote that is still there.
        changes: what the worker's things looked like before and after.
    """

    def __init__(self, folder: Path, closing: ExitStack) -> None:
        self.folder = folder
        self.left: list[str] = []
        patch = closing.enter_context(pytest.MonkeyPatch.context())
        self.secret_files = self._secrets(patch, closing)
        self.cache = self._filled("cache/actions/layer/key", "layer.zip")
        self.tools = self._filled("cache/tools/compiler", "python")
        self.prefix = self._filled("prefix", "pip.conf")
        rooms = folder / "rooms"
        rooms.mkdir()
        gate = IndexGate(self._indexes, Path(tempfile.mkdtemp(dir="/tmp", prefix="al-")))
        closing.callback(gate.close)
        index = closing.enter_context(gate.open(lambda _: None))
        visible = (folder / "cache", self.prefix, gate.folder, PROBE.parent)
        launcher = DirectLauncher(rooms, visible, program=PROGRAM)
        self.walls = launcher.walls
        wanted = self._wanted(closing, index.model_dump())
        before = self._state()
        first, second = launcher.launch(), launcher.launch()
        try:
            others = [room for room in rooms.iterdir() if room.name not in first.room.name]  # type: ignore[attr-defined]
            wanted["hidden"] += map(str, others)
            wanted["pids"] += [second.process.pid, os.getpid()]  # type: ignore[attr-defined]
            self.report = attacked(first, wanted)
            self.other = attacked(second, wanted)
            self.alive = (first.alive(), second.alive())
        finally:
            patch.setattr("worker.builds.launcher.remove_tree", self._remove)
            for one in (first, second):
                one.end()
        self.rooms = [path.name for path in rooms.iterdir()]
        self.changes = (before, self._state())

    def _remove(self, room: Path) -> None:
        """Remove a builder's room; nobody may be there who still writes to it."""
        self.left += processes_of(room.stat().st_uid) if ROOT else []
        remove_tree(room)

    def _filled(self, path: str, name: str) -> Path:
        folder = self.folder / path
        folder.mkdir(parents=True)
        (folder / name).write_text(
            f"[global]\nindex-url = https://u:{secret()}@x/" if name == "pip.conf" else "precious"
        )
        return folder

    def _indexes(self) -> Indexes:
        return discover({"UV_INDEX_INNER_PASSWORD": secret(), "UV_INDEX_INNER_USERNAME": "reader",
                         "UV_DEFAULT_INDEX": "inner=https://inner.example/simple"})  # fmt: skip

    def _secrets(self, patch: pytest.MonkeyPatch, closing: ExitStack) -> list[str]:
        for name in ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "UV_INDEX_INNER_PASSWORD", "NETRC", "LD_PRELOAD_X"):
            patch.setenv(name, secret())
        home = self.folder / "home"
        patch.setenv("HOME", str(home))
        token = secrets.token_hex(4)
        places = [home / ".aws/credentials", home / ".netrc", home / ".config/uv/uv.toml", self.folder / "worker.env"]
        if ROOT:
            folders = ("/etc", "/run", "/var/lib", "/tmp", "/dev/shm", pwd.getpwuid(0).pw_dir)
            places += [Path(folder, f"takeover-{token}", "worker.env") for folder in folders]
        for place in places:
            place.parent.mkdir(parents=True, exist_ok=True)
            closing.callback(self._forget, place)
            place.write_text(secret())
            place.chmod(0o644)
        return [str(place) for place in places]

    @staticmethod
    def _forget(place: Path) -> None:
        place.unlink()
        if place.parent.name.startswith("takeover-"):
            place.parent.rmdir()

    def _wanted(self, closing: ExitStack, index: Any) -> dict[str, Any]:
        listener = closing.enter_context(socket.create_server(("127.0.0.1", 0)))
        abstract = f"takeover{os.getpid()}-{secrets.token_hex(4)}"
        hidden = self.folder / "hidden.sock"
        for name in (f"\0{abstract}", str(hidden)):
            one = closing.enter_context(socket.socket(socket.AF_UNIX))
            one.bind(name)
            one.listen()
        code = Path(builder.__path__[0])
        return {
            "index": index, "port": listener.getsockname()[1], "abstract": abstract, "hidden_socket": str(hidden),
            "look_into": [*self.secret_files, str(self.prefix / "pip.conf"), "/etc/shadow"],
            "hidden": [*self.secret_files, str(hidden), "/etc/shadow", "/etc/passwd", "/sys/class", "/boot", "/home",
                       str(Path(worker.__path__[0])), "/run/systemd", "/var/lib"],
            "write_to": [*map(str, (
                self.cache, self.cache / "layer.zip", self.tools, self.tools / "python", self.folder / "cache", code,
                code / "__main__.py", code.with_name("auto_lambda"), Path(sys.prefix), Path(sys.base_prefix), PROBE,
                PROBE.parent, Path(index["socket"]).parent, "/usr", "/usr/bin/env", "/etc", "/etc/ld.so.cache", "/",
                self.prefix))],
            "pids": [],
        }  # fmt: skip

    def _state(self) -> dict[str, Any]:
        files = {str(path): (path.stat().st_mode, path.read_bytes() if path.is_file() else b"")
                 for path in (self.folder / "cache").rglob("*")}  # fmt: skip
        pattern = Path("/proc/sys/kernel/core_pattern").read_text()
        return {"files": files, "pattern": pattern, "name": os.uname().nodename}


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    with ExitStack() as closing:
        yield Machine(tmp_path_factory.mktemp("machine"), closing)


@pytest.fixture(scope="module")
def report(machine: Machine) -> Any:
    return machine.report


def test_all_walls_stand_where_the_worker_is_root(machine: Machine) -> None:
    assert machine.walls.missing() is None
    assert machine.alive == (True, True)


def test_it_is_a_user_that_is_nobody_else(machine: Machine, report: Any) -> None:
    user, other = report["identity"]["Uid"][0], machine.other["identity"]["Uid"][0]
    assert set(report["identity"]["Uid"]) == {user} == set(report["identity"]["Gid"])
    assert len({user, other, "0", str(os.getuid())}) == (3 if ROOT else 4)
    assert int(user) not in {entry.pw_uid for entry in pwd.getpwall()}


def test_it_has_no_rights(report: Any) -> None:
    identity = report["identity"]
    assert identity["Groups"] == []
    assert {name: identity[name] for name in identity if name.startswith("Cap")} == {
        name: ["0" * 16] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
    }
    assert identity["NoNewPrivs"] == ["1"]


def test_its_environment_is_fixed(report: Any) -> None:
    environment = report["environment"]
    room = environment.pop("HOME")
    assert Path(room).name.startswith("builder-")
    assert environment == {
        "PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "TMPDIR": room, "PWD": "/",
    }  # fmt: skip


def test_nothing_is_open_but_the_connection(report: Any) -> None:
    assert set(report["opened"]) - {f"/proc/{pid}/fd" for pid in range(99)} == {"/dev/null", "pipe", "socket"}


def test_it_finds_no_secret(machine: Machine, report: Any) -> None:
    assert len(machine.secret_files) > 4
    assert report["secrets_in_files"] == []
    assert report["secrets_in_memory"] == []
    assert report["readable_memory"] == []


def test_it_does_not_see_what_is_not_its_own(report: Any) -> None:
    assert report["sees"] == []


def test_it_reaches_nothing(report: Any) -> None:
    assert not any(report["network"].values()), report["network"]


def test_it_reaches_the_indexes_and_only_who_knows_their_socket_does(report: Any) -> None:
    assert report["index"] == {"answers": ["403", "403", "403"], "listed": False, "telling": False}


def test_it_writes_to_nothing_that_another_uses(machine: Machine, report: Any) -> None:
    assert report["writes"] == []
    assert report["writable"] == []
    assert machine.changes[0] == machine.changes[1]


def test_it_sees_signals_and_attaches_to_nobody(report: Any) -> None:
    assert report["processes"]["names"] == ["bwrap"]
    assert (report["processes"]["signalled"], report["processes"]["attached"]) == ([], [])


def test_it_gains_nothing(report: Any) -> None:
    assert not any(report["privileges"].values()), report["privileges"]
    assert not any((report["privileges_in_a_user_namespace"] or {}).values())


def test_nothing_is_left_of_it(machine: Machine, report: Any) -> None:
    assert report["leaves"] == 12
    assert machine.left == []
    assert machine.rooms == []


WORKER = """
import sys, time
from pathlib import Path
from worker.builds.launcher import DirectLauncher
launcher = DirectLauncher(Path(sys.argv[1]), (), program=(sys.executable, "-I", "-c", sys.argv[2]))
running = launcher.launch()
print(running.channel.receive(60).content["user"], flush=True)
time.sleep(3600)
"""
LEAVES = """
import json, os, signal, socket, time
for number in range(12):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            for one in range(1, 32):
                if one not in (signal.SIGKILL, signal.SIGSTOP):
                    signal.signal(one, signal.SIG_IGN)
            time.sleep(3600)
        os._exit(0)
socket.socket(fileno=0).sendall(json.dumps({"user": os.getuid(), "descriptors": 0}).encode() + b"\\n")
time.sleep(3600)
"""


def test_nothing_is_left_of_it_when_its_worker_is_killed(tmp_path: Path) -> None:
    path = Path(worker.__path__[0]).parent
    with subprocess.Popen(
        [sys.executable, "-c", WORKER, tmp_path, LEAVES], stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(path)},
    ) as process:  # fmt: skip
        assert process.stdout
        user = int(process.stdout.readline())
        all_there = becomes(lambda: len(processes_of(user)) == 13)
        process.send_signal(signal.SIGKILL)
    assert all_there
    assert becomes(lambda: processes_of(user) == []), processes_of(user)


def becomes(true: Callable[[], bool]) -> bool:
    for _ in range(1000):
        if true():
            return True
        time.sleep(0.01)
    return False


# ------------------------------------------------------------ as an ordinary user


@pytest.fixture(scope="module")
def ordinary() -> Any:
    """What a builder came to whose worker is an ordinary user."""
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="ordinary-") as folder:
        os.chown(folder, 65534, 65534)
        python_path = os.pathsep.join([str(PROBE.parent), str(PROBE.parents[2])])
        done = subprocess.run(
            [*_visible(PROBE.parents[2], Path(sys.prefix), Path(sys.base_prefix)),
             "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", sys.executable, "-B", __file__, folder],
            env={"PYTHONPATH": python_path, "PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def _visible(*paths: Path) -> list[str]:
    """Let every user reach these paths, which may lie in a home."""
    command = ["bwrap", "--dev-bind", "/", "/"]
    closed = {parent for path in paths for parent in path.parents if not parent.stat().st_mode & 0o001}
    for top in {parent for parent in closed if not closed & set(parent.parents)}:
        command += ["--perms", "0755", "--tmpfs", str(top)]
    for path in paths:
        if closed & set(path.parents):
            for parent in sorted(set(path.parents)):
                command += ["--perms", "0755", "--dir", str(parent)]
            command += ["--ro-bind", str(path), str(path)]
    return [*command, "--"]


def test_an_ordinary_worker_says_which_wall_is_missing(ordinary: Any) -> None:
    assert ordinary["missing"] == "builders run under the worker's own user, as it is not root"


def test_the_walls_that_an_ordinary_worker_has(ordinary: Any) -> None:
    report = ordinary["report"]
    assert (report["secrets_in_files"], report["secrets_in_memory"], report["sees"]) == ([], [], [])
    assert not any(report["network"].values()), report["network"]
    assert report["processes"]["names"] == ["bwrap"]  # the first process of its own namespace, which it may end
    assert set(report["processes"]["signalled"] + report["processes"]["attached"]) <= {1}
    assert not any(report["privileges"].values()), report["privileges"]
    assert report["writable"] == report["writes"] == []
    assert set(report["environment"]) == {"PATH", "LANG", "HOME", "TMPDIR", "PWD"}
    assert report["index"]["answers"] == ["403", "403", "403"]
    assert (ordinary["rooms"], ordinary["same"]) == ([], True)


if __name__ == "__main__":
    with ExitStack() as closing:
        made = Machine(Path(sys.argv[1]), closing)
    told = {"missing": made.walls.missing(), "report": made.report, "rooms": made.rooms,
            "same": made.changes[0] == made.changes[1]}  # fmt: skip
    sys.stdout.write(json.dumps(told))

"""What code sees and can do that has taken over a builder: run in its place, under its unit's settings.

Its connection is standard input, as a builder's: one JSON line of questions comes in, one of findings goes out.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import signal
import socket
import stat
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

_SEARCHED = ("/dev", "/etc", "/home", "/mnt", "/opt", "/root", "/run", "/srv", "/tmp", "/var")
_PTRACE_ATTACH, _CLONE_NEWUSER = 16, 0x10000000


def main() -> None:
    connection = socket.socket(fileno=os.dup(0))
    asked = json.loads(connection.makefile().readline())
    found = look(asked) | {"stray": stray()}
    for folder in asked["own"]:
        Path(folder, "mine").touch()
    if asked.get("stop_parent"):
        os.kill(os.getppid(), signal.SIGSTOP)
    connection.sendall(json.dumps(found).encode() + b"\n")
    time.sleep(600)  # whatever the worker wants


def look(asked: dict[str, Any]) -> dict[str, Any]:
    return {
        "uid": os.getuid(),
        "secrets": sorted(places_of(asked["secret"].encode())),
        "readable": {path: tried(read, path) for path in asked["read"]},
        "writable": sorted(writable_folders()),
        "written": {path: tried(write, path) for path in asked["write"]},
        "sockets": sorted(answering_sockets()),
        "interfaces": [name for _, name in socket.if_nameindex()],
        "network": {f"{host}:{port}": tried(connect, host, port) for host, port in asked["connect"]},
        "processes": [pid for pid in pids() if Path(f"/proc/{pid}").stat().st_uid != os.getuid()],
        "others": {str(pid): meddled_with(pid) for pid in asked["others"]},
        "supervisor": tried(write, f"/proc/{os.getppid()}/mem"),
        "left": [path.name for folder in asked["own"] for path in Path(folder).iterdir()],
    }


def read(path: str) -> None:
    Path(path).read_bytes()


def write(path: str) -> None:
    Path(path).open("ab").close()


def enter(path: str) -> None:
    list(Path(path).iterdir())


def tried(what: Callable[..., object], *arguments: object) -> str:
    """The name of the error, "done" without one."""
    try:
        what(*arguments)
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error))
    return "done"


def places_of(secret: bytes) -> Iterator[str]:
    of_processes = (Path(f"/proc/{pid}/{name}") for pid in pids() for name in ("environ", "cmdline"))
    for path in (*files(stat.S_ISREG), *of_processes):
        try:
            if secret in path.read_bytes():
                yield str(path)
        except OSError:
            continue


def files(kind: Callable[[int], bool]) -> Iterator[Path]:
    for top in _SEARCHED:
        for folder, _, names in os.walk(top):
            for name in names:
                path = Path(folder, name)
                try:
                    if kind(path.lstat().st_mode):
                        yield path
                except OSError:
                    continue


def writable_folders() -> Iterator[str]:
    for top in (*_SEARCHED, "/usr/local", "/sys", "/proc/sys"):
        for folder, _, _ in os.walk(top):
            if os.access(folder, os.W_OK):
                yield folder


def answering_sockets() -> Iterator[str]:
    for path in files(stat.S_ISSOCK):
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            with socket.socket(socket.AF_UNIX, kind) as one:
                if tried(one.connect, str(path)) == "done":
                    yield str(path)


def connect(host: str, port: int) -> None:
    socket.create_connection((host, port), 3).close()


def pids() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def meddled_with(pid: int) -> dict[str, str]:
    libc = ctypes.CDLL(None, use_errno=True)

    def attach() -> None:
        if libc.ptrace(_PTRACE_ATTACH, pid, 0, 0):
            raise OSError(ctypes.get_errno(), "ptrace")

    return {
        "signal": tried(os.kill, pid, signal.SIGCONT),
        "ptrace": tried(attach),
        "environ": tried(read, f"/proc/{pid}/environ"),
        "files": tried(enter, f"/proc/{pid}/fd"),
        "root": tried(enter, f"/proc/{pid}/root"),
    }


def stray() -> int:
    """A process that has left its session, its parent and its user namespace, and ends for no polite signal."""
    ready, tell = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
                signal.signal(number, signal.SIG_IGN)
            pid = os.getpid()
            ctypes.CDLL(None).unshare(_CLONE_NEWUSER)
            os.close(0)
            os.write(tell, str(pid).encode())
            time.sleep(600)
        os._exit(0)
    return int(os.read(ready, 20))


if __name__ == "__main__":
    if sys.argv[1:]:  # as it is, in place of questions: for who wants to know whether it would find anything
        sys.stdout.write(json.dumps(look(json.loads(sys.argv[1]))))
    else:
        main()

"""Hostile code in a builder's place, outside any sandbox: tries to get at what a builder must not, and reports.

Run by a `DirectLauncher` as its program; the standard library alone. It reads one JSON line, with the places to try,
from the connection, answers with one line of what came of it, and stays.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import re
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

NEEDLE = re.compile(b"take" + b"over-" + b"[0-9a-f]{32}")
LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNS, CLONE_NEWUSER = 0x20000, 0x10000000
PTRACE_ATTACH, PTRACE_SEIZE = 16, 0x4206
FINIT_MODULE = {"x86_64": 313, "aarch64": 273}[os.uname().machine]
MOST_BYTES = 2_000_000
SKIPPED = ("/usr", "/proc", "/dev")


def main() -> None:
    """Serve the connection."""
    connection = socket.socket(fileno=os.dup(0))
    wanted = json.loads(connection.makefile("r").readline())
    report = {name: attack(wanted) for name, attack in ATTACKS.items()}
    connection.sendall(json.dumps({**report, "descriptors": 0}).encode() + b"\n")
    while True:
        time.sleep(3600)


def identity(_: Any) -> dict[str, Any]:
    """Tell who we are."""
    status = dict(line.split(":\t", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":\t" in line)
    names = ("Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs")
    return {name: status[name].split() for name in names}


def environment(_: Any) -> dict[str, str]:
    """Tell the environment that the kernel knows of."""
    entries = Path("/proc/self/environ").read_bytes().decode().split("\0")
    return dict(entry.split("=", 1) for entry in entries if entry)


def opened(_: Any) -> list[str]:
    """Tell what was open when we began."""
    found = []
    for path in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            found.append(str(path.readlink()).split(":")[0])
    return sorted(set(found))


def secrets_in_files(wanted: Any) -> list[str]:
    """Look into each file that can be read."""
    found = []
    places = (*_files(Path("/")), *map(Path, wanted["look_into"]), *Path("/proc").glob("*/environ"),
              *Path("/proc").glob("*/cmdline"))  # fmt: skip
    for path in places:
        with contextlib.suppress(OSError):
            if NEEDLE.search(_read(path)):
                found.append(str(path))
    return found


def secrets_in_memory(_: Any) -> list[str]:
    """Look into all memory of ours, and of whom we can read it."""
    found = []
    for process in _processes():
        with contextlib.suppress(OSError), Path(f"/proc/{process}/mem").open("rb", 0) as memory:
            found += [f"{process} {region}" for region, content in _regions(process, memory) if NEEDLE.search(content)]
    return found


def readable_memory(_: Any) -> list[int]:
    """Name the other processes whose memory or environment can be read."""
    names = ("mem", "environ", "maps", "root", "cwd", "fd")
    others = set(_processes()) - {os.getpid()}
    return [one for one in others for name in names if _can(partial(_look, Path(f"/proc/{one}/{name}")))]


def network(wanted: Any) -> dict[str, bool]:
    """Connect to whatever there is."""

    def connect(family: int, kind: int, address: Any) -> Callable[[], None]:
        def act() -> None:
            with socket.socket(family, kind) as one:
                one.settimeout(0.5)
                one.connect(address)
                one.send(b"x")

        return act

    port = wanted["port"]
    stream, datagram = socket.SOCK_STREAM, socket.SOCK_DGRAM
    return {
        "listener": _can(connect(socket.AF_INET, stream, ("127.0.0.1", port))),
        "listener v6": _can(connect(socket.AF_INET6, stream, ("::1", port))),
        "metadata": _can(connect(socket.AF_INET, stream, ("169.254.169.254", 80))),
        "datagram": _can(connect(socket.AF_INET, datagram, ("192.0.2.1", 53))),
        "names": _can(lambda: socket.getaddrinfo("example.com", 80)),
        "abstract": _can(connect(socket.AF_UNIX, stream, "\0" + wanted["abstract"])),
        "raw": _can(lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1).close()),
        "packet": _can(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close()),
        "interfaces": len(Path("/proc/net/dev").read_text().splitlines()) > 3,
        "hidden socket": _can(connect(socket.AF_UNIX, stream, wanted["hidden_socket"])),
    }


def index(wanted: Any) -> dict[str, Any]:
    """Use the way to the package indexes."""
    path = wanted["index"]["socket"]
    answers = []
    for host in ("elsewhere.example:443", "169.254.169.254:80", f"127.0.0.1:{wanted['port']}"):
        with socket.socket(socket.AF_UNIX) as one:
            one.settimeout(5)
            one.connect(path)
            one.sendall(f"CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            answers.append(one.recv(100).split(b"\r\n")[0].decode().split(" ")[1])
    return {
        "answers": answers,
        "listed": _can(lambda: os.listdir(os.path.dirname(path))),  # noqa: PTH120, PTH208
        "telling": bool(NEEDLE.search(json.dumps(wanted["index"]).encode())),
    }


def writes(wanted: Any) -> list[str]:
    """Write to what others use."""
    done = []
    for place in filter(os.path.lexists, wanted["write_to"]):
        path = Path(place)
        tries: tuple[Callable[[], object], ...] = (
            partial(_plant, path),
            partial(path.chmod, 0o777),
            partial(os.utime, path),
            partial(path.rename, f"{path}-taken"),
            partial((path / "link").symlink_to, "/dev/zero"),
            partial(os.truncate, path, 0),
        )
        done += [f"{place} {number}" for number, act in enumerate(tries) if _can(act)]
    return done


def writable(wanted: Any) -> list[str]:
    """Name the places that are not mounted read-only."""
    there = [place for place in wanted["write_to"] if os.path.lexists(place)]
    return [place for place in there if not os.statvfs(place).f_flag & os.ST_RDONLY]


def sees(wanted: Any) -> list[str]:
    """Name what of the machine's files is there."""
    return [place for place in wanted["hidden"] if os.path.lexists(place)]


def processes(wanted: Any) -> dict[str, Any]:
    """Find processes, signal them, attach to them."""
    others = sorted(set(_processes()) - {os.getpid()})
    targets = [*others, *wanted["pids"]]
    return {
        "names": [Path(f"/proc/{one}/comm").read_text().strip() for one in others],
        "signalled": [one for one in targets if _can(partial(os.kill, one, 0)) and one != os.getpid()],
        "attached": [one for one in targets for request in (PTRACE_ATTACH, PTRACE_SEIZE)
                     if LIBC.ptrace(request, one, None, None) == 0],
    }  # fmt: skip


def privileges(_: Any) -> dict[str, bool]:
    """Gain what we do not have."""
    return {
        "mount": LIBC.mount(b"none", b"/usr", b"tmpfs", 0, None) == 0,
        "bind": LIBC.mount(b"/tmp", b"/usr", None, 4096, None) == 0,
        "remount": LIBC.mount(None, b"/usr", None, 32 | 4096, None) == 0,
        "unmount": LIBC.umount2(b"/usr", 2) == 0,
        "root": _can(lambda: os.setuid(0)),
        "saved": _can(lambda: os.setresuid(0, 0, 0)),
        "groups": _can(lambda: os.setgroups([0])),
        "another user": _can(lambda: os.setuid(os.getuid() + 1)),
        "module": LIBC.syscall(FINIT_MODULE, os.open("/dev/null", os.O_RDONLY), b"", 0) == 0,
        "core pattern": _can(lambda: _append("/proc/sys/kernel/core_pattern")),
        "setting": _can(lambda: _append("/proc/sys/vm/drop_caches")),
        "trigger": _can(lambda: _append("/proc/sysrq-trigger")),
        "kernel log": _can(lambda: os.close(os.open("/dev/kmsg", os.O_RDWR))),
        "memory": _can(lambda: os.close(os.open("/dev/mem", os.O_RDONLY))),
        "kernel memory": _can(lambda: os.close(os.open("/proc/kcore", os.O_RDONLY))),
        "device": _can(lambda: os.mknod(os.environ["TMPDIR"] + "/disk", 0o60666, os.makedev(8, 0))),
        "chroot": _can(lambda: os.chroot("/tmp")),
        "host name": _can(lambda: LIBC.sethostname(b"x", 1) == 0 or _fail()),
        "host's namespaces": _can(_other_namespace),
        "priority": _can(lambda: os.nice(-5)),
    }


def privileges_in_a_user_namespace(_: Any) -> dict[str, bool] | None:
    """The same where one may be root of one's own; None where the kernel gives none."""
    said: dict[str, bool] | None = _in_child(_user_namespace)
    return said


def _user_namespace() -> dict[str, bool] | None:
    user = os.getuid()
    if LIBC.unshare(CLONE_NEWUSER | CLONE_NEWNS):
        return None
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {user} 1")
    return {
        "core pattern": _can(lambda: _append("/proc/sys/kernel/core_pattern")),
        "setting": _can(lambda: _append("/proc/sys/vm/drop_caches")),
        "trigger": _can(lambda: _append("/proc/sysrq-trigger")),
        "module": LIBC.syscall(FINIT_MODULE, os.open("/dev/null", os.O_RDONLY), b"", 0) == 0,
        "writable /usr": LIBC.mount(None, b"/usr", None, 32 | 4096, None) == 0 and os.access("/usr", os.W_OK),
        "unmounted /usr": LIBC.umount2(b"/usr", 2) == 0,
        "device": _can(lambda: os.mknod(os.environ["TMPDIR"] + "/disk", 0o60666, os.makedev(8, 0))),
        "other user": _can(lambda: os.setuid(1)),
        "memory": bool([one for one in _processes() if one != os.getpid()
                        and _can(partial(_look, Path(f"/proc/{one}/mem")))
                        and Path(f"/proc/{one}").stat().st_uid != 0]),
    }  # fmt: skip


def leaves(_: Any) -> int:
    """Leave processes behind: forks, sessions of their own, deaf to signals, and some that write all the time."""
    for number in range(12):
        if os.fork():
            continue
        if number % 2:
            os.setsid()
            if os.fork():
                os._exit(0)
        for one in range(1, 32):
            if one not in (signal.SIGKILL, signal.SIGSTOP):
                signal.signal(one, signal.SIG_IGN)
        while True:
            with contextlib.suppress(OSError):
                if number % 3 == 0:
                    Path(os.environ["TMPDIR"], f"left-{number}-{time.monotonic_ns()}").touch()
                else:
                    time.sleep(0.05)
    return 12


ATTACKS: dict[str, Callable[[Any], Any]] = {
    one.__name__: one
    for one in (opened, identity, environment, secrets_in_files, secrets_in_memory, readable_memory, network, index,
                writes, writable, sees, processes, privileges, privileges_in_a_user_namespace, leaves)
}  # fmt: skip


def _can(act: Callable[[], object]) -> bool:
    try:
        act()
    except (OSError, KeyError):
        return False
    return True


def _look(path: Path) -> None:
    if path.is_dir():
        list(path.iterdir())
    else:
        path.open("rb").close()


def _plant(path: Path) -> None:
    if path.is_dir():
        (path / "planted").touch()
    else:
        path.open("a").close()


def _fail() -> bool:
    raise OSError


def _other_namespace() -> None:
    if Path("/proc/1/ns/mnt").readlink() == Path("/proc/self/ns/mnt").readlink():
        raise OSError


def _append(path: str) -> None:
    with Path(path).open("a"):
        pass


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MOST_BYTES)


def _files(folder: Path) -> Iterator[Path]:
    seen = {str(Path(sys.base_prefix)), str(Path(sys.prefix)), *SKIPPED}
    for path, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if str(Path(path, name)) not in seen]
        yield from (Path(path, name) for name in names if Path(path, name).is_file())


def _processes() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def _regions(process: int, memory: Any) -> Iterator[tuple[str, bytes]]:
    for line in Path(f"/proc/{process}/maps").read_text().splitlines():
        start, end = (int(word, 16) for word in line.split()[0].split("-"))
        with contextlib.suppress(OSError, OverflowError, ValueError):
            memory.seek(start)
            yield line, memory.read(end - start)


def _in_child(act: Callable[[], Any]) -> Any:
    reading, writing = os.pipe()
    if child := os.fork():
        os.close(writing)
        with os.fdopen(reading, "rb") as file:
            said = file.read()
        os.waitpid(child, 0)
        return json.loads(said)
    os.write(writing, json.dumps(act()).encode())
    os._exit(0)


if __name__ == "__main__":
    main()

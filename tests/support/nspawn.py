"""A Debian machine with systemd, booted in a second by systemd-nspawn on an overlay of a cached root."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from index_environ import index_environ

from auto_lambda.tools import cache_folder, exclusive

BARE = ("systemd", "systemd-sysv", "dbus", "openssh-server", "sudo", "ca-certificates")
_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
_PROGRAMS = ("systemd-nspawn", "mmdebstrap", "nsenter", "unshare")


def missing() -> str | None:
    """Why no machine can be booted here; None if one can."""
    if os.geteuid() != 0:
        return "booting a machine needs root"
    absent = [program for program in _PROGRAMS if shutil.which(program) is None]
    if absent:
        return (
            f"{', '.join(absent)} not installed: scripts/test-tools.sh installs what the tests need on Debian, as root"
        )
    probe = subprocess.run(
        ["unshare", "--mount", "--pid", "--fork", "true"], capture_output=True, text=True, check=False
    )
    return f"this kernel gives no namespaces: {probe.stderr.strip()}" if probe.returncode else None


def debian_root(packages: Sequence[str] = BARE) -> Path:
    """The root file system of a fresh Debian 12 with these packages; made once, then kept in the cache folder."""
    include = ",".join(sorted({*BARE, *packages}))
    name = hashlib.sha256(include.encode()).hexdigest()[:12]
    root = cache_folder() / "machines" / f"bookworm-{name}"
    root.parent.mkdir(parents=True, exist_ok=True)
    with exclusive(root.with_suffix(".making")):
        if not root.exists():
            fresh = root.with_suffix(".new")
            shutil.rmtree(fresh, ignore_errors=True)
            command = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={include}", "bookworm", str(fresh)]
            subprocess.run(command, check=True)
            fresh.rename(root)
    return root


@dataclass(frozen=True, slots=True)
class Machine:
    """A booted machine. It shares the host's network, so its servers are on the host's loopback interface."""

    leader: int
    root: Path

    def run(self, *argv: str, check: bool = True, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """Run a command in it, as root."""
        environ = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
        done = subprocess.run(
            ["nsenter", "--target", str(self.leader), "--all", *argv],
            capture_output=True, text=True, timeout=timeout, env=environ, check=False,
        )  # fmt: skip
        if check and done.returncode:
            raise AssertionError(f"{' '.join(argv)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done

    def path(self, inside: str) -> Path:
        """Where a file of it is for us."""
        return Path(f"/proc/{self.leader}/root", inside.lstrip("/"))


@contextlib.contextmanager
def booted(root: Path, folder: Path, *, over: Sequence[Path] = (), target: str = "basic.target") -> Iterator[Machine]:
    """Boot a machine on an overlay of ``root``; everything it writes goes to ``folder``, below ``upper``.

    ``over`` are what other machines, which are halted, wrote over the same root, the last one first.
    """
    upper, work, merged = (folder / name for name in ("upper", "work", "merged"))
    for path in (upper, work, merged):
        path.mkdir(parents=True)
    _give_network(upper)
    lower = ":".join(map(str, (*over, root)))
    mount = f"mount -t overlay overlay -o lowerdir={lower},upperdir={upper},workdir={work} {merged}"
    spawn = (
        f"exec systemd-nspawn --quiet -D {merged} --boot --register=no --link-journal=no --keep-unit --console=pipe"
        f" --hostname=machine --uuid={uuid.uuid4()} --resolv-conf=copy-host systemd.unit={target}"
    )
    with (folder / "console").open("wb") as console:
        process = subprocess.Popen(
            # It ends with us, however we end.
            ["setpriv", "--pdeathsig", "SIGTERM", "unshare", "--mount", "sh", "-c", f"{mount} && {spawn}"],
            stdin=subprocess.DEVNULL, stdout=console, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    try:
        machine = Machine(_leader(process), merged)
        _await_boot(machine, folder / "console")
        _allow_nested_namespaces(machine)
        yield machine
    finally:
        _end(process)


def _give_network(upper: Path) -> None:
    """What the host knows about certificates, proxies and package indexes."""
    environ = index_environ()
    if _BUNDLE.exists():
        copy = upper / _BUNDLE.relative_to("/")
        copy.parent.mkdir(parents=True)
        shutil.copy(_BUNDLE, copy)
        environ |= {"SSL_CERT_FILE": str(_BUNDLE), "PIP_CERT": str(_BUNDLE), "REQUESTS_CA_BUNDLE": str(_BUNDLE)}
        environ.pop("SSL_CERT_DIR", None)
    (upper / "etc").mkdir(exist_ok=True)
    (upper / "etc" / "hosts").write_text("127.0.0.1 localhost machine\n")
    (upper / "etc" / "environment").write_text("".join(f'{name}="{value}"\n' for name, value in environ.items()))


def _leader(process: subprocess.Popen[bytes]) -> int:
    """The machine's process 1, as the host numbers it."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        for pid in _descendants(process.pid):
            with contextlib.suppress(OSError):
                status = Path(f"/proc/{pid}/status").read_text()
                if any(line.startswith("NSpid:") and line.split()[-1] == "1" for line in status.splitlines()):
                    return pid
        time.sleep(0.02)
    raise AssertionError("the machine did not start")


def _descendants(pid: int) -> Iterator[int]:
    with contextlib.suppress(OSError):
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            yield int(child)
            yield from _descendants(int(child))


def _await_boot(machine: Machine, console: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with contextlib.suppress(AssertionError):
            state = machine.run("systemctl", "is-system-running", check=False).stdout.strip()
            if state in ("running", "degraded"):
                return
        time.sleep(0.05)
    raise AssertionError(f"the machine did not boot:\n{console.read_text(errors='replace')}")


def _allow_nested_namespaces(machine: Machine) -> None:
    """nspawn keeps /proc/sys read-only, and bubblewrap limits the namespaces of what it isolates below there."""
    machine.run("mount", "--bind", "/proc/sys/user", "/proc/sys/user")
    machine.run("mount", "-o", "remount,bind,rw", "/proc/sys/user")


def _end(process: subprocess.Popen[bytes]) -> None:
    for _ in range(2):  # nspawn halts the machine in order at first, and at once when told again
        with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
            os.kill(process.pid, signal.SIGTERM)
            process.wait(5)
            return
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()

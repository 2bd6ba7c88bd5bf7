"""A virtual machine on qemu's own emulation of a processor (never KVM): every limit of the kernel holds in it."""

from __future__ import annotations

import contextlib
import shlex
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nspawn
from image_machine import free_port
from vm_disk import Disk

MEMORY_MB = 2560
_PROGRAMS = ("qemu-system-x86_64", "mke2fs", "ssh", "ssh-keygen")
_PATIENCE = 600  # seconds: it takes some 20 on a quiet machine


def missing() -> str | None:
    """Why no virtual machine can be made here; None if one can."""
    absent = [program for program in _PROGRAMS if shutil.which(program) is None]
    if absent:
        return f"{', '.join(absent)} not installed: scripts/test-tools.sh --vm installs it on Debian, as root"
    return nspawn.missing()


@dataclass(frozen=True, slots=True)
class VirtualMachine:
    """A running one. The host's loopback addresses are at 10.0.2.2 for it."""

    port: int
    key: Path
    folder: Path
    boot_seconds: float

    def run(self, *argv: str, check: bool = True, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        """Run a command in it, as root."""
        done = subprocess.run(
            [*self._ssh, shlex.join(argv)], capture_output=True, text=True, timeout=timeout, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        if check and done.returncode:
            raise AssertionError(f"{shlex.join(argv)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done

    def write(self, path: str, text: str) -> None:
        """Make or replace one of its files."""
        place = shlex.quote(path)
        subprocess.run(
            [*self._ssh, f"mkdir -p $(dirname {place}) && cat > {place}"], input=text, text=True, timeout=60, check=True
        )

    @property
    def console(self) -> str:
        """What its kernel and its systemd said so far."""
        return (self.folder / "console").read_text(errors="replace")

    @property
    def _ssh(self) -> tuple[str, ...]:
        options = {
            "StrictHostKeyChecking": "no", "UserKnownHostsFile": "/dev/null", "LogLevel": "ERROR",
            "ConnectTimeout": "60", "IdentitiesOnly": "yes", "BatchMode": "yes",
            # A handshake takes an emulated processor seconds.
            "ControlMaster": "auto", "ControlPath": f"{self.folder}/ssh", "ControlPersist": "yes",
        }  # fmt: skip
        chosen = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        return ("ssh", "-i", str(self.key), "-p", str(self.port), *chosen, "root@127.0.0.1")


@contextlib.contextmanager
def started(disk: Disk, folder: Path) -> Iterator[VirtualMachine]:
    """Boot one; what it writes is forgotten when it ends."""
    folder.mkdir(parents=True)
    port = free_port()
    began = time.monotonic()
    with (folder / "qemu").open("wb") as output:
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "SIGKILL", *_qemu(disk, folder, port)],
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            start_new_session=True, env={"PATH": "/usr/bin:/bin", "TMPDIR": str(folder)},
        )  # fmt: skip
    try:
        _await_ssh(VirtualMachine(port, disk.key, folder, 0), process)
        machine = VirtualMachine(port, disk.key, folder, time.monotonic() - began)
        yield machine
        subprocess.run([*machine._ssh[:-1], "-O", "exit", "root@127.0.0.1"], capture_output=True, check=False)
    finally:
        process.kill()
        process.wait()


def _qemu(disk: Disk, folder: Path, port: int) -> tuple[str, ...]:
    kernel = "root=/dev/vda rw console=ttyS0 net.ifnames=0 systemd.show_status=false quiet mitigations=off"
    return (
        "qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", str(MEMORY_MB),
        "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-serial", f"file:{folder / 'console'}",
        "-kernel", str(disk.kernel), "-initrd", str(disk.initrd), "-append", kernel,
        "-drive", f"file={disk.image},if=virtio,format=raw,snapshot=on,cache=unsafe", "-device", "virtio-rng-pci",
        "-netdev", f"user,id=net,hostfwd=tcp:127.0.0.1:{port}-:22", "-device", "virtio-net-pci,netdev=net,romfile=",
    )  # fmt: skip


def _await_ssh(machine: VirtualMachine, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise AssertionError(f"qemu ended: {(machine.folder / 'qemu').read_text()}")
        with contextlib.suppress(subprocess.TimeoutExpired):
            if machine.run("true", check=False, timeout=120).returncode == 0:
                return
        time.sleep(0.5)
    raise AssertionError(f"the machine did not boot:\n{machine.console[-4000:]}")

"""A machine to provision, and an EC2 that knows it: moto answers the API, and the "instance" is booted by nspawn."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import nspawn
import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
REGION = "eu-west-1"
USER = "ec2-user"


def need(*programs: str) -> None:
    """Skip, with the reason, where a program is missing."""
    absent = [program for program in programs if shutil.which(program) is None]
    if absent:
        leave_out(f"{', '.join(absent)} not installed: scripts/test-tools.sh installs it on Debian, as root")


def need_machine() -> None:
    if reason := nspawn.missing():
        leave_out(reason)


def leave_out(reason: str) -> None:
    """Skip; but where everything can be had, as root on Debian, a missing part is a failure."""
    if os.geteuid() == 0 and Path("/etc/debian_version").exists():
        pytest.fail(reason)
    pytest.skip(reason)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


@dataclass(frozen=True)
class Cloud:
    """An emulated EC2, IAM, SSM and STS."""

    endpoint: str
    environ: dict[str, str]

    def client(self, service: str) -> Any:
        return boto3.client(  # type: ignore[call-overload]
            service, REGION, endpoint_url=self.endpoint, aws_access_key_id="test", aws_secret_access_key="test"
        )


@dataclass(frozen=True)
class Instance:
    """The machine that stands for every instance of the emulated EC2, reached by SSH."""

    machine: nspawn.Machine
    port: int
    key: Path

    def variables(self, **more: str) -> list[str]:
        chosen = {
            "ssh_host": "127.0.0.1", "ssh_port": str(self.port), "ssh_username": USER,
            "ssh_keypair_name": "test", "ssh_private_key_file": str(self.key), **more,
        }  # fmt: skip
        return [word for name, value in chosen.items() for word in ("--var", f"{name}={value}")]


@dataclass(frozen=True)
class Image:
    """What became of a bare machine; `launched` makes machines of it.

    Attributes:
        root: the bare machine's file system.
        upper: what the provisioning wrote over it.
        made: what the build said.
        published: the image id that instances are launched from.
    """

    root: Path
    upper: Path
    made: dict[str, Any]
    published: str

    def launched(self, folder: Path) -> contextlib.AbstractContextManager[nspawn.Machine]:
        """A machine that boots from the image for the first time."""
        return nspawn.booted(self.root, folder, over=(self.upper,))


def start_instance(machine: nspawn.Machine, folder: Path) -> Instance:
    """What cloud-init does on AWS: a user who may become root, and a key that lets in."""
    key, port = folder / "key", free_port()
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    kept = " ".join(line.partition("=")[0] for line in machine.path("/etc/environment").read_text().splitlines())
    machine.path("/etc/sudoers.d/user").write_text(f'Defaults env_keep += "{kept}"\n{USER} ALL=(ALL) NOPASSWD: ALL\n')
    machine.path("/etc/ssh/sshd_config.d/test.conf").write_text(f"Port {port}\nListenAddress 127.0.0.1\n")
    machine.run("useradd", "--create-home", "--shell", "/bin/bash", USER)
    home = machine.path(f"/home/{USER}/.ssh")
    home.mkdir(mode=0o700)
    shutil.copy(key.with_suffix(".pub"), home / "authorized_keys")
    machine.run("chown", "-R", f"{USER}:", f"/home/{USER}")
    machine.run("ssh-keygen", "-A")
    machine.run("systemctl", "start", "systemd-user-sessions", "ssh")
    return Instance(machine, port, key)


Boot = Callable[[tuple[str, ...]], Instance]


@dataclass
class Run:
    """A run of the command line, followed line by line."""

    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._came = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._came:
                self.lines.append(line)
                self._came.notify_all()

    def await_line(self, text: str, timeout: float = 60) -> None:
        with self._came:
            found = self._came.wait_for(lambda: any(text in line for line in self.lines), timeout)
        assert found, f"no {text!r} in:\n{self.text}"

    def interrupt(self, number: signal.Signals = signal.SIGINT) -> None:
        self.process.send_signal(number)

    def end(self, timeout: float = 300) -> tuple[int, str]:
        """The exit code and standard output."""
        assert self.process.stdout is not None
        stdout = self.process.stdout.read()
        code = self.process.wait(timeout)
        self._reader.join()
        self.process.stdout.close()
        assert self.process.stderr is not None
        self.process.stderr.close()
        return code, stdout

    @property
    def text(self) -> str:
        return "".join(self.lines)


def start(*arguments: str, environ: dict[str, str], around: tuple[str, ...] = ()) -> Run:
    """``auto-lambda ami ...`` as its own process, ``around`` it whatever starts it."""
    return Run(
        subprocess.Popen(
            [*around, str(Path(sys.executable).with_name("auto-lambda")), "ami", *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, env=environ,
        )
    )  # fmt: skip


def toy_payload(folder: Path, script: str) -> Path:
    """An archive whose whole provisioning is one shell script."""
    step = folder / "all.sh"
    step.write_text(f"#!/bin/sh\n{script}\n")
    step.chmod(0o755)
    archive = folder / "toy.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(step, "provision/all.sh")
    return archive

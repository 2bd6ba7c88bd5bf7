"""A virtual machine launched from the image: its services reach the embedded AWS and a metadata service on the host."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from e2e_stack import until
from index_environ import index_environ
from service_box import WORKER, Box
from vm import VirtualMachine

PATIENCE = 600
"""Seconds; whatever takes one on this machine takes ten or more in an emulated processor."""
_PATIENT = """[Service]
EnvironmentFile=/etc/test.env
TimeoutStartSec=15min
WatchdogSec=15min
"""
_BUILDING = """
for procs in /sys/fs/cgroup/autolambda.slice/autolambda-builders.slice/*/cgroup.procs; do
    for pid in $(cat $procs); do
        [ "$(cat /proc/$pid/comm)" != bwrap ] || { basename $(dirname $procs); exit; }
    done
done
"""
_FORWARD = """[Socket]
ListenStream={address}
FreeBind=yes
[Install]
WantedBy=sockets.target
"""
_FORWARDER = """[Unit]
Requires={name}.socket
[Service]
ExecStart=/lib/systemd/systemd-socket-proxyd 10.0.2.2:{port}
"""


class VirtualBox(Box):
    """The services of a virtual machine. It has no part of the host's file system."""

    machine: VirtualMachine  # type: ignore[assignment]

    def first_boot(self, settings: Mapping[str, str]) -> None:
        """As for any box; the embedded AWS is where it is on the host."""
        port = urlsplit(self.pipeline.endpoint).port
        self.forward("aws", f"127.0.0.1:{port}", port)
        kept = {name: text for name, text in self.pipeline.environ.items() if not name.startswith("AUTO_LAMBDA_")}
        lines = {**index_environ(), **kept, "AWS_EC2_METADATA_DISABLED": "false", **settings}
        self.machine.write("/etc/test.env", "".join(f'{name}="{text}"\n' for name, text in lines.items()))
        for unit in (WORKER, "autolambda-checker.service"):
            self.drop_in(unit, _PATIENT, "00-test")
        for script in self._user_data():
            self.machine.write("/root/user-data", script)
            self.machine.run("bash", "/root/user-data")

    def forward(self, name: str, address: str, port: int | None) -> None:
        """Let an address of the machine be a port of the host's loopback interface."""
        system = "/etc/systemd/system"
        self.machine.write(f"{system}/{name}.socket", _FORWARD.format(address=address))
        self.machine.write(f"{system}/{name}.service", _FORWARDER.format(name=name, port=port))
        self.ctl("daemon-reload")
        self.ctl("start", f"{name}.socket")

    def drop_in(self, unit: str, text: str, name: str = "50-test") -> None:
        """Change a unit."""
        self.machine.write(f"/etc/systemd/system/{unit}.d/{name}.conf", text)
        self.ctl("daemon-reload")

    def control_group(self, group: str, file: str) -> str:
        """A file of a control group below our slice."""
        return self.machine.run("sh", "-c", f"cat /sys/fs/cgroup/autolambda.slice/{group}/{file}", check=False).stdout

    def await_build(self) -> str:
        """Wait until code of an upload runs; the unit of its builder."""
        return until(lambda: self.machine.run("sh", "-c", _BUILDING, check=False).stdout.strip() or None, PATIENCE)

    def kernel_said(self, text: str) -> list[str]:
        """Lines of the kernel's log that hold it."""
        said = self.machine.run("journalctl", "--no-pager", "--dmesg", "--output=cat").stdout
        return [line for line in said.splitlines() if text in line]

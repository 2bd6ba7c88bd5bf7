"""A machine launched from the image, with worker and checker as its services, in the embedded AWS of the host."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import nspawn
from e2e_stack import Stack, until

from auto_lambda_cli.running_stacks import RunningStack

WORKER, CHECKER = "autolambda-worker.service", "autolambda-checker.service"
OTHER = "autolambda-other.service"
"""A second worker, as another machine would have it."""
BUILDERS = "autolambda-builder@*.service"
SOCKET = "/run/autolambda-builder.sock"
SECRET = "only-the-services-know-this"
"""Beside the services' other settings."""
UNFIT = f"autolambda-unhealthy@{WORKER}.service"
_SYSTEM = "/etc/systemd/system"


@dataclass(frozen=True)
class Box:
    """The machine. It shares the host's loopback interface, and so the embedded AWS and the package index."""

    machine: nspawn.Machine
    pipeline: RunningStack

    @property
    def stack(self) -> Stack:
        """The pipeline as its users see it."""
        return Stack(self.pipeline.ready_line(), self.pipeline.environ)

    def first_boot(self, settings: Mapping[str, str]) -> None:
        """What happens on EC2: cloud-init runs the user data of our launch templates. ``settings`` come on top."""
        kept = {name: text for name, text in self.pipeline.environ.items() if not name.startswith("AUTO_LAMBDA_")}
        lines = [f'{name}="{text}"\n' for name, text in {**kept, **settings}.items()]
        more = self.machine.path("/etc/environment").read_text() + "".join(lines)
        settings_file = self.machine.path("/etc/test.env")
        settings_file.touch(mode=0o600)
        settings_file.write_text(more)
        for unit in (WORKER, CHECKER, "autolambda-unhealthy@.service"):
            self.drop_in(unit, "[Service]\nEnvironmentFile=/etc/test.env\n", "00-test")
        for script in self._user_data():
            self.machine.run("bash", "-c", script)

    def _user_data(self) -> list[str]:
        ec2 = self.stack.client("ec2")
        found = []
        for template in ec2.describe_launch_templates()["LaunchTemplates"]:
            versions = ec2.describe_launch_template_versions(LaunchTemplateId=template["LaunchTemplateId"])
            data = versions["LaunchTemplateVersions"][0]["LaunchTemplateData"]
            found.append(base64.b64decode(data["UserData"]).decode())
        return found

    def start_other(self) -> None:
        """A second worker with the same settings."""
        text = self.machine.path(f"/usr/lib/systemd/system/{WORKER}").read_text()
        self.machine.path(f"{_SYSTEM}/{OTHER}").write_text(text)
        self.drop_in(OTHER, "[Service]\nEnvironmentFile=/etc/test.env\n", "00-test")
        folder = f"/run/{OTHER.removesuffix('.service')}"
        self.drop_in("autolambda-builder@.service", f"[Service]\nBindReadOnlyPaths=-{folder}\n", "00-test")
        self.ctl("start", OTHER)

    def drop_in(self, unit: str, text: str, name: str = "50-test") -> None:
        """Change a unit."""
        path = self.machine.path(f"{_SYSTEM}/{unit}.d/{name}.conf")
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        self.ctl("daemon-reload")

    def as_launched(self) -> None:
        """No unit changed, and the worker at work, whatever an earlier test did."""
        for unit in (WORKER, "autolambda-unhealthy@.service"):
            self.machine.path(f"{_SYSTEM}/{unit}.d/50-test.conf").unlink(missing_ok=True)
        self.ctl("daemon-reload")
        self.ctl("stop", OTHER, check=False)
        self.ctl("reset-failed", check=False)
        self.ctl("start", WORKER)

    def ctl(self, *arguments: str, check: bool = True) -> int:
        """``systemctl``; its exit code."""
        return self.machine.run("systemctl", *arguments, check=check).returncode

    def show(self, unit: str, name: str) -> str:
        """A property of a unit."""
        return self.machine.run("systemctl", "show", "--value", f"--property={name}", unit).stdout.strip()

    def pid(self, unit: str) -> int:
        """Its main process, as the machine numbers it."""
        return int(self.show(unit, "MainPID"))

    def name(self, unit: str) -> str:
        """What its worker is called on receipts."""
        return f"{self.machine.run('uname', '--nodename').stdout.strip()}-{self.pid(unit)}"

    def journal(self, unit: str) -> list[dict[str, Any]]:
        """What the unit's processes have logged, one object an entry; what is no JSON is a failure."""
        said = self.machine.run("journalctl", "--no-pager", "--output=json", f"_SYSTEMD_UNIT={unit}").stdout
        return [json.loads(json.loads(line)["MESSAGE"]) for line in said.splitlines()]

    def whole_journal(self, unit: str) -> str:
        """The same with systemd's own words, for people."""
        return self.machine.run("journalctl", "--no-pager", "--unit", unit).stdout

    def await_state(self, unit: str, state: str, seconds: float = 60) -> None:
        """Wait until a unit is ``active``, ``inactive``, ``failed``."""
        until(
            lambda: self.show(unit, "ActiveState") == state,
            seconds,
            lambda: f"{unit} is {self.show(unit, 'ActiveState')}, not {state}:\n{self.whole_journal(unit)[-4000:]}",
        )

    def await_status(self, unit: str, text: str, seconds: float = 60) -> str:
        """Wait until a unit says that it is at something; its whole status line."""

        def said() -> str | None:
            line = self.show(unit, "StatusText")
            return line if text in line else None

        return until(said, seconds, lambda: f"{unit} never said {text!r}:\n{self.whole_journal(unit)[-4000:]}")

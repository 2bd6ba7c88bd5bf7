"""Whoever installs a newer version finds the settings, which may hold keys, as closed as they were."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

AMI = Path(__file__).resolve().parents[3] / "ami"


@pytest.fixture
def payload(tmp_path: Path) -> Path:
    """The step that installs files, with a file that comes with us and is closed to others by mistake."""
    ours = tmp_path / "payload/rootfs/etc/auto-lambda/README"
    ours.parent.mkdir(parents=True)
    ours.write_text("new")
    ours.chmod(0o600)
    shutil.copytree(AMI / "provision", tmp_path / "payload/provision")
    for name in ("systemd-sysusers", "systemctl"):
        stub = tmp_path / "bin" / name
        stub.parent.mkdir(exist_ok=True)
        stub.write_text("#!/bin/sh\n")
        stub.chmod(0o755)
    return tmp_path / "payload"


@pytest.mark.skipif(not shutil.which("bwrap"), reason="needs bubblewrap, for an /etc of the test's own")
def test_an_upgrade_opens_no_settings(tmp_path: Path, payload: Path) -> None:
    settings = tmp_path / "settings"
    (settings / "inner").mkdir(parents=True)
    modes = {"worker.env": 0o640, "checker.env": 0o600, "inner/key.pem": 0o400, "inner": 0o700}
    for name, mode in modes.items():
        if name != "inner":
            (settings / name).write_text("AWS_SECRET_ACCESS_KEY=x")
        (settings / name).chmod(mode)
    own_etc = ("--ro-bind", "/", "/", "--dev", "/dev", "--tmpfs", "/etc", "--bind", settings, "/etc/auto-lambda")
    subprocess.run(
        ["bwrap", *own_etc, "--bind", tmp_path, tmp_path, "bash", payload / "provision/20-rootfs.sh"],
        env={"PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin"}, check=True,
    )  # fmt: skip
    assert (settings / "README").read_text() == "new"
    assert (settings / "README").stat().st_mode & 0o777 == 0o644
    assert {name: (settings / name).stat().st_mode & 0o777 for name in modes} == modes

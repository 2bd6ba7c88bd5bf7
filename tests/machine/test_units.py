"""The units: sound, hardened, and in keeping with the settings and with the launch templates."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from image_machine import REPOSITORY, need

from auto_lambda.settings import WorkerSettings
from worker.builds.conversation import MAX_SECONDS
from worker.builds.spares import MAX_WAIT

UNITS = REPOSITORY / "systemd"
SERVICES = {
    "autolambda-worker.service": 12,
    "autolambda-builder@.service": 20,
    "autolambda-checker.service": 12,
    "autolambda-unhealthy@.service": 12,
}
"""The most exposure, times ten. Builders must start bubblewrap; nothing that the others do needs more."""
TEMPLATES = [name for name in SERVICES if "@" in name]
PYTHON = "/usr/local/lib/auto-lambda/venv/bin/python"


def read(name: str) -> configparser.ConfigParser:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(UNITS / name)
    return unit


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The units as they would be on a machine that has our program, which the one that tests does not."""
    need("systemd-analyze")
    for unit in UNITS.glob("autolambda*"):
        (tmp_path / unit.name).write_text(unit.read_text().replace(PYTHON, "/bin/true"))
    for name in TEMPLATES:
        shutil.copy(tmp_path / name, tmp_path / name.replace("@", "@some"))
    return tmp_path


def verify(folder: Path) -> str:
    """Whatever ``systemd-analyze verify`` says; it exits 0 on misspelt settings, but never in silence."""
    names = [path for path in folder.iterdir() if path.name not in TEMPLATES]
    done = subprocess.run(["systemd-analyze", "verify", *names], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def test_all_units_are_known_to_these_tests() -> None:
    assert {unit.name for unit in UNITS.glob("*.service")} == SERVICES.keys()


def test_systemd_finds_nothing_wrong_with_the_units(units: Path) -> None:
    assert verify(units) == ""


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("autolambda-worker.service", "WatchdogSec=", "WatchdogSecs="),
        ("autolambda-worker.service", "ProtectSystem=strict", "ProtectSystem=strictly"),
        ("autolambda-builder@some.service", "@mount", "@mounts"),
        ("autolambda-builder.socket", "SocketMode=", "SocketModes="),
        ("autolambda-builders.slice", "TasksMax=", "TaskMax="),
    ],
)
def test_what_is_misspelt_is_found(units: Path, name: str, before: str, after: str) -> None:
    unit = units / name
    assert before in unit.read_text()
    unit.write_text(unit.read_text().replace(before, after))
    assert verify(units)


@pytest.mark.parametrize(("name", "most"), SERVICES.items())
def test_no_unit_is_more_exposed_than_it_has_to_be(name: str, most: int) -> None:
    need("systemd-analyze")
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", f"--threshold={most}", "--no-pager", UNITS / name],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-200:]


def test_stopping_may_take_as_long_as_a_drain() -> None:
    settings = WorkerSettings.model_fields
    drain = settings["drain_seconds"].default + settings["poll_seconds"].default + 10
    assert int(read("autolambda-worker.service")["Service"]["TimeoutStopSec"]) > drain


def test_the_watchdog_is_more_patient_than_the_longest_receive() -> None:
    settings = WorkerSettings.model_fields
    attempts, call = settings["call_attempts"].default, settings["poll_seconds"].default + 10 + 5  # with connecting
    minutes = re.fullmatch(r"(\d+)min", read("autolambda-worker.service")["Service"]["WatchdogSec"])
    assert minutes
    assert int(minutes[1]) * 60 > attempts * call


def test_a_builder_that_has_waited_may_still_take_as_long_as_the_worker_lets_it() -> None:
    service = read("autolambda-builder@.service")["Service"]
    minutes = re.fullmatch(r"(\d+)min", service["RuntimeMaxSec"])
    assert minutes
    assert 60 < int(minutes[1]) * 60 - MAX_SECONDS - MAX_WAIT < 600


def test_a_builder_reaches_nothing_but_the_loopback_interface_of_its_own_network() -> None:
    """Containers don't enforce the filter: without the exception, only the virtual machine would tell."""
    service = read("autolambda-builder@.service")["Service"]
    assert [service[name] for name in ("PrivateNetwork", "IPAddressDeny", "IPAddressAllow")] == [
        "yes",
        "any",
        "localhost",
    ]


def test_the_worker_finds_the_builders_socket_and_they_find_its_folders() -> None:
    worker, listening = read("autolambda-worker.service"), read("autolambda-builder.socket")["Socket"]
    path = listening["ListenStream"]
    assert f"AUTO_LAMBDA_BUILDER_SOCKET={path}" in worker["Service"]["Environment"].split()
    assert worker["Unit"]["Requires"] == "autolambda-builder.socket"
    assert (listening["Accept"], listening["SocketMode"]) == ("yes", "0600")
    assert listening["SocketUser"] == worker["Service"]["User"]
    assert worker["Service"]["RuntimeDirectory"] == "%N"
    text = (UNITS / "autolambda-builder@.service").read_text()
    lines = re.findall("^BindReadOnlyPaths=(.*)", text, re.MULTILINE)
    seen = {bound.lstrip("-") for line in lines for bound in line.split()}
    cache = "/var/cache/auto-lambda"
    assert seen == {"/run/systemd/notify", "/run/autolambda-worker", f"{cache}/actions", f"{cache}/tools"}


def test_services_that_fail_for_good_are_given_up_and_those_with_bad_settings_at_once() -> None:
    for name in ("autolambda-worker.service", "autolambda-checker.service"):
        unit = read(name)
        assert unit["Unit"]["OnFailure"] == "autolambda-unhealthy@%n.service"
        assert unit["Unit"]["StartLimitBurst"]
        assert unit["Service"]["Restart"] == "on-failure"
        assert unit["Service"]["RestartPreventExitStatus"] == "2"


@pytest.mark.parametrize("name", ["worker", "checker"])
def test_the_user_data_of_the_launch_templates_writes_what_the_units_read(name: str) -> None:
    unit = read(f"autolambda-{name}.service")
    settings = unit["Service"]["EnvironmentFile"]
    assert settings == unit["Unit"]["ConditionPathExists"] == f"/etc/auto-lambda/{name}.env"
    template = (REPOSITORY / "infra" / "fleet.yaml").read_text()
    assert f"cat > {settings} <<END" in template
    assert f"systemctl --no-block restart autolambda-{name}.service" in template


def test_the_program_and_the_user_are_where_the_image_puts_them() -> None:
    for name in SERVICES:
        service = read(name)["Service"]
        assert service["ExecStart"].startswith(f"{PYTHON} -I -m ")
        assert service["Slice"] in ("autolambda.slice", "autolambda-builders.slice")
        assert service.get("DynamicUser") == "yes" or service["User"] == "autolambda"
    steps = REPOSITORY / "ami"
    assert f"home={PYTHON.removesuffix('/venv/bin/python')}\n" in (steps / "provision" / "lib.sh").read_text()
    assert "u autolambda " in (steps / "rootfs/usr/lib/sysusers.d/autolambda.conf").read_text()

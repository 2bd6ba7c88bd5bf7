"""Builders under systemd, and what code can do that has taken one over."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import builder_probe
import pytest
from e2e_stack import make_zip, small_chalice, until
from service_box import BUILDERS, SECRET, WORKER, Box

from worker.builds.conversation import MAX_SECONDS

PROBE = "/srv/builder_probe.py"
CACHE = "/var/cache/auto-lambda"
OWN = ["/tmp", "/var/tmp", "/dev/mqueue"]
"""Where a builder may write."""
METADATA = ("169.254.169.254", 80)
PATIENCE = 30


def builders(box: Box, units: str = BUILDERS, *which: str) -> list[str]:
    listed = box.machine.run("systemctl", "list-units", "--plain", "--no-legend", *which, units).stdout
    return [line.split()[0] for line in listed.splitlines()]


def user_of(box: Box, pid: int) -> int:
    status = box.machine.path(f"/proc/{pid}/status").read_text()  # the folder itself is root's if it cannot be dumped
    return int(status.partition("\nUid:")[2].split()[0])


# --- builders at work ---


def test_each_connection_is_given_a_builder_with_a_user_of_its_own_and_limits(box: Box) -> None:
    box.await_state(WORKER, "active")

    def ready() -> list[str] | None:
        running = builders(box, BUILDERS, "--state=active")
        return running if len(running) > 1 else None

    found = until(ready, PATIENCE)
    users = [user_of(box, box.pid(unit)) for unit in found]
    assert len({*users, 0, user_of(box, box.pid(WORKER))}) == len(found) + 2
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert int(box.show(found[0], "MemoryMax")) == pytest.approx(memory * 0.75, rel=0.001)
    group = box.show(found[0], "ControlGroup")
    assert group == f"/autolambda.slice/autolambda-builders.slice/{found[0]}"
    shown = {name: box.show(found[0], name) for name in ("TasksMax", "RuntimeMaxUSec", "OOMPolicy", "KillMode")}
    assert shown == {
        "TasksMax": "1280",
        "RuntimeMaxUSec": "1h 30min",
        "OOMPolicy": "continue",
        "KillMode": "control-group",
    }
    assert MAX_SECONDS < 90 * 60


def test_no_builder_and_nothing_of_it_outlives_its_build(box: Box) -> None:
    box.await_state(WORKER, "active")
    spares = len(until(lambda: builders(box) or None, PATIENCE))
    files = {
        **small_chalice(),
        "requirements.txt": "./own\n",
        "own/setup.py": "from setuptools import setup\nsetup(name='own', version='1')\n",
    }
    box.stack.live(box.stack.drop("tidy", make_zip(files)))
    until(lambda: len(builders(box)) <= max(spares, 2), PATIENCE, lambda: str(builders(box)))
    homes = [path.name for path in box.machine.path("/var/tmp").glob("systemd-private-*-autolambda-builder@*")]
    assert len(homes) <= len(builders(box))
    assert not box.machine.run("systemctl", "list-units", "--state=failed", "--plain", "--no-legend", BUILDERS).stdout


# --- a builder that is taken over ---


@pytest.fixture
def probed(box: Box) -> Iterator[Box]:
    """The machine with builders whose code is ours, under the units' settings, at a socket of their own."""
    box.await_state(WORKER, "active")
    units, own = (box.machine.path(f"{folder}/systemd/system") for folder in ("/usr/lib", "/etc"))
    service, listening = ((units / f"autolambda-builder{suffix}").read_text() for suffix in ("@.service", ".socket"))
    assert "-m builder.supervisor\n" in service
    service = service.replace("-m builder.supervisor\n", f"-m builder.supervisor /usr/bin/python3 {PROBE}\n")
    (own / "autolambda-probe@.service").write_text(service)
    (own / "autolambda-probe.socket").write_text(listening.replace("autolambda-builder.sock", "autolambda-probe.sock"))
    shutil.copy(builder_probe.__file__, box.machine.path(PROBE))
    box.machine.path(PROBE).chmod(0o644)
    box.ctl("daemon-reload")
    box.ctl("start", "autolambda-probe.socket")
    yield box
    box.ctl("stop", "autolambda-probe.socket", "autolambda-probe@*.service")


@contextlib.contextmanager
def taken_over(box: Box, **more: Any) -> Iterator[dict[str, Any]]:
    """What such a builder finds; it lives until the connection is closed."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(PATIENCE)
        connection.connect(str(box.machine.path("/run/autolambda-probe.sock")))
        connection.sendall(json.dumps({**questions(box), **more}).encode() + b"\n")
        with connection.makefile() as answer:
            found = answer.readline()
        assert found, box.machine.run("journalctl", "--no-pager", "--lines=30").stdout
        yield json.loads(found)


def questions(box: Box) -> dict[str, Any]:
    aws = urlsplit(box.pipeline.endpoint)
    return {
        "secret": SECRET,
        "read": ["/etc/test.env", "/etc/auto-lambda/worker.env", f"{CACHE}/actions/probed"],
        "write": [f"{CACHE}/actions/probed", f"{CACHE}/tools/probed", "/usr/local/lib/auto-lambda/probed"],
        "connect": [[aws.hostname, aws.port], METADATA, ["203.0.113.1", 443]],
        "own": OWN,
        "others": [1, box.pid(WORKER)],
    }


def prepared(box: Box) -> None:
    """A result of an action that builders may read."""
    path = box.machine.path(f"{CACHE}/actions/probed")
    path.write_text("a result")
    path.chmod(0o644)


def test_the_probe_finds_what_there_is_to_find(probed: Box) -> None:
    prepared(probed)
    asked = json.dumps(questions(probed) | {"others": []})
    found = json.loads(probed.machine.run("python3", PROBE, asked).stdout)
    assert {"/etc/test.env", f"/proc/{probed.pid(WORKER)}/environ"} <= set(found["secrets"])
    assert set(found["written"].values()) == {"done"}
    assert probed.pid(WORKER) in found["processes"]
    assert "/run/autolambda-builder.sock" in found["sockets"]
    assert found["network"][probed.pipeline.endpoint.removeprefix("http://")] == "done"


def test_it_finds_no_secret_no_network_and_nothing_to_write_to(probed: Box) -> None:
    prepared(probed)
    with taken_over(probed) as found:
        assert found["secrets"] == []
        assert found["readable"].pop(f"{CACHE}/actions/probed") == "done"
        assert set(found["readable"].values()) == {"EACCES"}
        assert found["writable"] == sorted(OWN)
        assert found["left"] == []
        assert "done" not in found["written"].values()
        assert found["interfaces"] == ["lo"]
        assert set(found["network"].values()) == {"ENETUNREACH"}
        # To systemd, which hears a unit's first process only.
        assert found["sockets"] == ["/run/systemd/notify"]


def test_it_cannot_touch_the_worker_nor_another_builder(probed: Box) -> None:
    with taken_over(probed) as first, taken_over(probed, others=[1, probed.pid(WORKER), first["stray"]]) as second:
        assert first["uid"] != second["uid"]
        assert second["left"] == []
        for found in (first, second):
            assert found["processes"] == []
            assert found["supervisor"] == "ENOENT"
        assert len(second["others"]) == 3
        for tried in second["others"].values():
            assert tried.pop("signal") == "EPERM"
            assert set(tried.values()) <= {"EPERM", "ENOENT"}


def test_it_ends_with_the_connection_and_so_does_what_has_left_its_session(probed: Box) -> None:
    with taken_over(probed) as found:
        stray = probed.machine.path(f"/proc/{found['stray']}")
        assert stray.exists()
    until(lambda: not stray.exists(), PATIENCE)
    until(lambda: not builders(probed, "autolambda-probe@*"), PATIENCE)


def test_it_gains_nothing_by_stopping_what_ends_it(probed: Box) -> None:
    probed.drop_in("autolambda-probe@.service", "[Service]\nWatchdogSec=3s\n")
    with taken_over(probed, stop_parent=True) as found:
        stray = probed.machine.path(f"/proc/{found['stray']}")
        until(lambda: not stray.exists(), PATIENCE)


def test_nobody_but_the_worker_has_anything_built(box: Box) -> None:
    script = "import socket; socket.socket(socket.AF_UNIX).connect('/run/autolambda-builder.sock')"
    done = box.machine.run("runuser", "--user", "nobody", "--", "python3", "-c", script, check=False)
    assert "PermissionError" in done.stderr
    box.machine.run("runuser", "--user", "autolambda", "--", "python3", "-c", script)
    assert Path(str(box.machine.path("/run/autolambda-builder.sock"))).stat().st_mode & 0o777 == 0o600

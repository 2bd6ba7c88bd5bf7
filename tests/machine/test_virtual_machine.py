"""The image in a virtual machine, where the kernel enforces every limit: minutes, so only in `make image-test`."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import vm
import vm_disk
from e2e_stack import Drop, make_zip, small_chalice, until
from image_machine import Image, leave_out
from service_box import WORKER
from vm_box import PATIENCE, VirtualBox

from auto_lambda_cli.local_stack.embedded import EmbeddedAws
from auto_lambda_cli.local_stack.imds import Imds, imds
from auto_lambda_cli.local_stack.processes import Child
from auto_lambda_cli.local_stack.stack import deploy_pipeline

pytestmark = [pytest.mark.slow, pytest.mark.timeout(2400)]

BUILDERS = "autolambda-builders.slice"
PROJECT = """[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "homemade"
version = "1"
"""
# A build backend that lies beside the project: no index is needed to run it.
BACKEND = """
import os, sys, time, zipfile

def build_wheel(folder, *_):
    first()
    name = "homemade-1.dist-info"
    with zipfile.ZipFile(f"{folder}/homemade-1-py3-none-any.whl", "w") as wheel:
        wheel.writestr("homemade.py", "")
        wheel.writestr(f"{name}/METADATA", "Metadata-Version: 2.1\\nName: homemade\\nVersion: 1\\n")
        wheel.writestr(f"{name}/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(f"{name}/RECORD", "")
    return "homemade-1-py3-none-any.whl"

def say(text):
    print(text, file=sys.stderr, flush=True)

def first():
"""
HOG = """
    kept = []
    while True:
        kept.append(bytearray(os.urandom(1)) * 10_000_000)
"""
# Run when the app is imported: what a build backend prints is told at its end, which this one does not live to see.
FORKS = """
import os, time
for made in range(1, 1000):
    try:
        if os.fork() == 0:
            time.sleep(600)
    except OSError:
        time.sleep(60)
    if made % 10 == 0:
        print(f"made {made} processes", flush=True)
"""
NOSY = """
    import urllib.request
    address = "http://169.254.169.254/latest/"
    proxy = os.environ.get("HTTPS_PROXY") or os.environ["https_proxy"]
    for way, handlers in (("direct", {}), ("proxy", {"http": proxy})):
        opener = urllib.request.build_opener(urllib.request.ProxyHandler(handlers))
        try:
            request = urllib.request.Request(address + "api/token", method="PUT",
                                             headers={"X-aws-ec2-metadata-token-ttl-seconds": "60"})
            say(f"{way}: reached {opener.open(request, timeout=20).read()}")
        except OSError as error:
            say(f"{way}: not reached, {error}")
    sys.exit("that was all")
"""
# Here it never ends, on the host it ends at once.
STUCK = """
    if os.uname().release == "RELEASE":
        time.sleep(800)
"""


def app(doing: str) -> bytes:
    """A small app with a dependency whose build does something."""
    files = {"requirements.txt": "./homemade\n", "homemade/pyproject.toml": PROJECT}
    return make_zip({**small_chalice(), **files, "homemade/backend.py": BACKEND + doing})


@dataclass(frozen=True)
class Booted:
    box: VirtualBox
    metadata: Imds
    folder: Path
    figures: dict[str, float | str]

    def final(self, drop: Drop) -> dict[str, Any]:
        return self.box.stack.final(drop, PATIENCE)


@pytest.fixture(scope="module")
def machine(image: Image, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Booted]:
    if reason := vm.missing():
        leave_out(reason)
    folder = tmp_path_factory.mktemp("virtual")
    disk = vm_disk.make_disk(image, folder)
    with EmbeddedAws.start(folder / "aws") as aws, imds() as metadata, vm.started(disk, folder / "run") as running:
        box = VirtualBox(running, deploy_pipeline(aws, folder / "aws"))  # type: ignore[arg-type]
        box.forward("metadata", "169.254.169.254:80", urlsplit(metadata.url).port)
        box.first_boot({"AUTO_LAMBDA_POLL_SECONDS": "1"})
        figures: dict[str, float | str] = {"seconds from power to SSH": round(running.boot_seconds, 1)}
        yield Booted(box, metadata, folder, figures)
        request.config.get_terminal_writer().line(f"\nin the virtual machine: {json.dumps(figures, indent=2)}")
    shutil.rmtree(folder, ignore_errors=True)


def microseconds(box: VirtualBox, name: str) -> int:
    return int(box.show(WORKER, f"{name}Monotonic"))


def test_the_worker_starts_within_its_limits(machine: Booted) -> None:
    box = machine.box
    box.await_state(WORKER, "active", PATIENCE)
    started, ready = microseconds(box, "ExecMainStartTimestamp"), microseconds(box, "ActiveEnterTimestamp")
    machine.figures["seconds from the service's start to its first receive"] = round((ready - started) / 1e6, 1)
    total = int(box.machine.run("awk", "/MemTotal/ {print $2}", "/proc/meminfo").stdout) * 1024
    assert int(box.control_group(WORKER, "memory.max")) == 1024**3
    assert int(box.control_group(BUILDERS, "memory.max")) == pytest.approx(total * 0.8, rel=0.01)
    builder = until(lambda: box.control_group(f"{BUILDERS}/autolambda-builder@*", "memory.max").split(), PATIENCE)
    assert int(builder[0]) == pytest.approx(total * 0.75, rel=0.01)
    assert set(box.control_group(f"{BUILDERS}/autolambda-builder@*", "pids.max").split()) == {"1280"}


def test_a_build_that_hogs_memory_ends_in_its_own_builder(machine: Booted) -> None:
    box = machine.box
    pid = box.pid(WORKER)
    drop = box.stack.drop("hog", app(HOG))
    builder = box.await_build()
    machine.figures["memory limit of a builder, MB"] = (
        int(box.control_group(f"{BUILDERS}/{builder}", "memory.max")) // 1024**2
    )
    told(machine.final(drop), "out-of-memory")
    (killed,) = box.kernel_said("oom-kill:")
    assert f"oom_memcg=/autolambda.slice/{BUILDERS}/autolambda-builder@" in killed
    unharmed(box, pid)


def test_the_limit_of_all_builders_spares_the_worker(machine: Booted) -> None:
    box = machine.box
    pid, before = box.pid(WORKER), len(box.kernel_said("oom-kill:"))
    with_limits(box, MemoryMax="700M")
    told(machine.final(box.stack.drop("larger-hog", app(HOG))), "out-of-memory")
    (killed,) = box.kernel_said("oom-kill:")[before:]
    group = f"/autolambda.slice/{BUILDERS}"
    assert f"oom_memcg={group},task_memcg={group}/autolambda-builder@" in killed
    with_limits(box, MemoryMax="80%")
    unharmed(box, pid)


def test_a_builders_task_limit_ends_a_build_that_forks(machine: Booted) -> None:
    box = machine.box
    box.drop_in("autolambda-builder@.service", "[Service]\nTasksMax=200\n")
    box.ctl("restart", WORKER)  # those that stand by have the limit of before
    box.await_state(WORKER, "active", PATIENCE)
    pid = box.pid(WORKER)
    files = small_chalice()
    drop = box.stack.drop("forks", make_zip({**files, "app.py": FORKS + str(files["app.py"])}))
    told(machine.final(drop), "too-many-processes")
    log = box.stack.log(drop)
    made = max(int(line.split()[-2]) for line in log.splitlines() if line.endswith(" processes"))
    machine.figures["processes that a build was seen to get, of 200 for its builder"] = made
    assert 50 < made < 200  # the sandbox would let it have a thousand
    assert "fork rejected by pids controller" in "".join(box.kernel_said("pids controller"))
    unharmed(box, pid)


def test_metadata_is_for_the_worker_and_not_for_builds(machine: Booted) -> None:
    box, before = machine.box, machine.metadata.tokens
    assert before >= 1  # the worker's own
    drop = box.stack.drop("nosy", app(NOSY))
    told(machine.final(drop), "dependency-build-failed")
    log = box.stack.log(drop)
    assert "direct: not reached" in log
    assert "proxy: not reached" in log
    assert machine.metadata.tokens == before


def test_a_spot_notice_drains_it_and_another_worker_finishes(machine: Booted) -> None:
    box = machine.box
    release = box.machine.run("uname", "-r").stdout.strip()
    drop = box.stack.drop("moved", app(STUCK.replace("RELEASE", release)))
    box.await_build()
    machine.metadata.values["spot/instance-action"] = '{"action": "terminate", "time": "2026-11-21T12:02:00Z"}'
    box.await_state(WORKER, "inactive", PATIENCE)
    journal = box.journal(WORKER)
    drained = seconds_between(journal, "leaving", "drained")
    machine.figures["seconds from the spot notice to drained"] = drained
    assert drained + 5 < 120  # it looks for a notice every five seconds
    assert "handed back" in [entry["event"] for entry in journal]
    assert box.show(WORKER, "Result") == "success"
    with other_worker(machine):
        receipt = box.stack.live(drop, PATIENCE)
    assert not receipt["worker"].startswith("machine-")
    assert box.stack.http(receipt["url"]).json == {"hello": "world"}


@contextlib.contextmanager
def other_worker(machine: Booted) -> Iterator[None]:
    """A worker on the host."""
    work = machine.folder / "work"
    work.mkdir()
    own = {"AUTO_LAMBDA_WORK_DIR": str(work), "AUTO_LAMBDA_POLL_SECONDS": "1", "AUTO_LAMBDA_DRAIN_SECONDS": "0"}
    environ = {**machine.box.pipeline.environ_over(os.environ), **own}
    child = Child("worker", "worker", machine.folder / "worker.log", environ)
    child.start()
    try:
        child.wait_until_ready(60)
        yield
    finally:
        child.ask_to_stop()
        child.end(10)


def told(receipt: Mapping[str, Any], code: str) -> None:
    assert receipt["status"] == "failed", receipt
    assert receipt["error"]["code"] == code, receipt["error"]
    assert receipt["sandbox"] == "bubblewrap"


def with_limits(box: VirtualBox, **limits: str) -> None:
    """Change the slice of all builders."""
    box.ctl("set-property", "--runtime", BUILDERS, *(f"{name}={text}" for name, text in limits.items()))


def unharmed(box: VirtualBox, pid: int) -> None:
    assert (box.pid(WORKER), box.show(WORKER, "NRestarts")) == (pid, "0")
    assert box.show(WORKER, "ActiveState") == "active"


def seconds_between(journal: list[dict[str, Any]], first: str, then: str) -> float:
    def stamp(event: str) -> datetime:
        return next(datetime.fromisoformat(entry["timestamp"]) for entry in journal if entry["event"] == event)

    return round((stamp(then) - stamp(first)).total_seconds(), 1)

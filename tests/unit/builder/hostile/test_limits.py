"""Programs that want more than their share. Each is ended by the limit that it passes, and is gone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3
from attacks import DEAF, HURRIED, LIMITS, TOO_MUCH, left_processes

from auto_lambda.files import remove_tree
from auto_lambda.tools import interpreters
from builder.sandbox.bubblewrap import BubblewrapSandbox
from builder.sandbox.sandbox import Command, Limits, Outcome, PlainSandbox, Sandbox

PYTHON = next(iter(interpreters().values()))
SUPPORT = Path(__file__).parents[3] / "support"


@pytest.fixture
def sandbox() -> Sandbox:
    return BubblewrapSandbox(PlainSandbox(), (PYTHON.parents[1],))


@pytest.fixture(autouse=True)
def _nothing_left(tmp_path: Path) -> Iterator[None]:
    yield
    assert left_processes(tmp_path) == []
    assert str(tmp_path) not in Path("/proc/mounts").read_text()
    assert list(tmp_path.glob(".run-*")) == []
    remove_tree(tmp_path)
    assert not tmp_path.exists()


def run(sandbox: Sandbox, folder: Path, code: str, limits: Limits = LIMITS) -> Outcome:
    command = Command((str(PYTHON), "-c", code), folder, writable=(folder,), limits=limits)
    return sandbox.run(command, lambda _: None)


@pytest.mark.parametrize("limit", TOO_MUCH)
def test_more_than_its_share(sandbox: Sandbox, tmp_path: Path, limit: str) -> None:
    outcome = run(sandbox, tmp_path, TOO_MUCH[limit])
    assert (outcome.stopped, outcome.ok) == (limit, False)
    assert len(outcome.output) <= LIMITS.output


def test_cpu_time_counts_for_all_together(sandbox: Sandbox, tmp_path: Path) -> None:
    code = "import os\nos.fork()\nwhile True: pass"
    assert run(sandbox, tmp_path, code, Limits(wall=30, cpu=1)).stopped == "time"


def test_memory_that_processes_share_counts_once(sandbox: Sandbox, tmp_path: Path) -> None:
    """Else four workers of one parent would be stopped for four times what they take."""
    code = (
        "import os, time\nkept = os.urandom(1) * 120_000_000\nfor _ in range(2): os.fork()\n"
        "time.sleep(1)\nprint('well')"
    )
    outcome = run(sandbox, tmp_path, code)
    assert (outcome.stopped, outcome.ok) == (None, True)


# 600 MB each, which no process has mapped when it is looked for
UNMAPPED = {
    "files without a name": """
import os, time
kept = [os.memfd_create(str(number)) for number in range(24)]
for file in kept:
    os.write(file, bytes(25_000_000))
time.sleep(30)
""",
    "files in the sandbox's own /tmp": """
import time
for number in range(24):
    with open(f"/tmp/{number}", "wb") as file:
        file.write(bytes(25_000_000))
time.sleep(30)
""",
    "shared mappings of one process after another": """
import mmap, os, time
for _ in range(4):
    kept = mmap.mmap(-1, 150_000_000)
    for at in range(0, 150_000_000, 4096): kept[at] = 1
    if os.fork() == 0:
        time.sleep(30)
time.sleep(30)
""",
}


@pytest.mark.parametrize("form", UNMAPPED)
def test_memory_that_is_not_a_process_of_its_own_counts(sandbox: Sandbox, tmp_path: Path, form: str) -> None:
    assert run(sandbox, tmp_path, UNMAPPED[form]).stopped == "memory"


def test_a_file_in_memory_that_is_mapped_counts_once(sandbox: Sandbox, tmp_path: Path) -> None:
    code = (
        "import mmap, os, time\nfile = os.memfd_create('x')\nos.ftruncate(file, 200_000_000)\n"
        "kept = mmap.mmap(file, 200_000_000)\nfor at in range(0, 200_000_000, 4096): kept[at] = 1\n"
        "os.fork()\ntime.sleep(1)\nprint('well')"
    )
    outcome = run(sandbox, tmp_path, code, Limits(wall=20, cpu=20, memory=300 * 2**20))
    assert (outcome.stopped, outcome.ok) == (None, True)


def test_memory_that_outlives_its_processes_cannot_be_had(sandbox: Sandbox, tmp_path: Path) -> None:
    code = (
        "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n"
        "print(libc.shmget(0, 4096, 0o1600), ctypes.get_errno())"
    )
    assert run(sandbox, tmp_path, code).output == "-1 1"


def test_the_page_tells_what_only_control_groups_bound() -> None:
    page = (Path(__file__).parents[4] / "docs/explanation/sandbox.md").read_text()
    told = page.partition("Without the units this is not bounded:")[2].partition("\n## ")[0]
    assert "the buffers of pipes and sockets" in told
    assert "what is between two looks" in told


def test_a_program_that_heeds_no_signal(sandbox: Sandbox, tmp_path: Path) -> None:
    assert run(sandbox, tmp_path, DEAF, HURRIED).stopped == "time"


def test_a_daemon_that_leaves_session_environment_and_output(sandbox: Sandbox, tmp_path: Path) -> None:
    code = (
        "import os, sys\n"
        "if os.fork() == 0:\n"
        "    os.setsid(); os.closerange(0, 64)\n"
        "    os.execve('/bin/sleep', ['sleep', '30'], {})\n"
    )
    assert run(sandbox, tmp_path, code).ok


def test_nobody_inside_can_keep_the_rest_alive_by_meddling_with_the_first_process(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    code = (
        "import ctypes, os\n"
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        "print(libc.ptrace(16, 1, 0, 0), os.strerror(ctypes.get_errno()))\n"  # PTRACE_ATTACH
        "os.kill(1, 9); os.kill(1, 19)\n"
    )
    outcome = run(sandbox, tmp_path, code, HURRIED)
    assert outcome.output == "-1 Operation not permitted"


def test_keyrings_and_the_way_to_the_virtual_machines_host_are_shut(sandbox: Sandbox, tmp_path: Path) -> None:
    code = (
        "import ctypes, os, platform, socket\n"
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        "number = 250 if platform.machine() == 'x86_64' else 219\n"
        "print(libc.syscall(number, 0, -3, 0), os.strerror(ctypes.get_errno()))\n"  # the session's keyring
        "for family in (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6): socket.socket(family).close()\n"
        "socket.socket(40)\n"  # AF_VSOCK
    )
    said = run(sandbox, tmp_path, code).output
    assert "-1 Operation not permitted" in said
    assert "Address family not supported" in said


@pytest.mark.parametrize("path", ["/tmp/x", "/dev/shm/x", "x"])
def test_one_file_has_an_end_wherever_it_is(sandbox: Sandbox, tmp_path: Path, path: str) -> None:
    outcome = run(sandbox, tmp_path, f"open({path!r}, 'wb').truncate(10 * 2**30)")
    assert "File too large" in outcome.output


def test_device_folder_is_not_writable(sandbox: Sandbox, tmp_path: Path) -> None:
    assert "Read-only file system" in run(sandbox, tmp_path, "open('/dev/x', 'w')").output


def test_a_tree_deeper_than_any_path_is_removed(sandbox: Sandbox, tmp_path: Path) -> None:
    code = "import os\nfor _ in range(3000):\n    os.mkdir('d'); os.chdir('d')\nos.chmod('.', 0)"
    assert run(sandbox, tmp_path, code).ok


def test_a_scratch_folder_that_became_a_link_is_not_followed(sandbox: Sandbox, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    (precious / "inner").mkdir(parents=True)
    (precious / "inner").chmod(0o555)
    work = tmp_path / "work"
    work.mkdir()
    code = (
        "import os, shutil\n"
        "scratch = os.path.dirname(os.environ['TMPDIR'])\n"
        f"shutil.rmtree(scratch); os.symlink({str(precious)!r}, scratch)\n"
    )
    assert run(sandbox, work, code).ok
    assert (precious / "inner").stat().st_mode & 0o777 == 0o555
    assert list(work.iterdir()) == []


@pytest.fixture(scope="module")
def ordinary() -> Any:
    """What happened when an ordinary user, as whom we may run only if we are root, tried it all."""
    missing = [tool for tool in ("setpriv", "bwrap") if not shutil.which(tool)]
    if os.geteuid() or missing or not os.access("/usr/bin/python3", os.X_OK):
        pytest.skip("needs root, setpriv and the system's own Python")
    root = SUPPORT.parents[1]
    path = os.pathsep.join(map(str, (SUPPORT, root, Path(urllib3.__file__).parents[1])))
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="ordinary-") as folder:
        os.chown(folder, 65534, 65534)
        done = subprocess.run(
            ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "/usr/bin/python3", "-B",
             SUPPORT / "ordinary_user.py", folder],
            env={"PYTHONPATH": path, "PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=False,
        )  # fmt: skip
    if "ModuleNotFoundError" in done.stderr or "SyntaxError" in done.stderr or "Permission denied" in done.stderr:
        pytest.skip(f"the system's Python cannot run us: {done.stderr[-200:]}")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("limit", TOO_MUCH)
def test_an_ordinary_users_sandbox_keeps_its_limits(ordinary: dict[str, Any], limit: str) -> None:
    assert ordinary[limit]["stopped"] == limit


def test_an_ordinary_users_sandbox_isolates(ordinary: dict[str, Any]) -> None:
    assert ordinary["well"]["output"] == "well"
    assert "No such file" in ordinary["files"]["output"]
    assert "not permitted" in ordinary["root"]["output"] or "Invalid argument" in ordinary["root"]["output"]
    assert ordinary["deaf"]["stopped"] == "time"
    assert [one["left"] for one in ordinary.values()] == [[]] * len(ordinary)

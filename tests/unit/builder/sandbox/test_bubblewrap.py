"""What a stranger's code cannot do: each attack is run for real."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from building import NO_INDEXES, isolating, open_index

from auto_lambda.tools import interpreters
from builder.sandbox.bubblewrap import BubblewrapSandbox, SandboxMissing, library_folders
from builder.sandbox.sandbox import Command, Limits, Outcome, PlainSandbox

Run = Callable[..., Outcome]
SECONDS = f"47110{os.getpid()}"  # by which this process's sleepers are known
PYTHON = str(next(iter(interpreters().values())))


@pytest.fixture
def refusals() -> list[str]:
    """What the way to the indexes has told of hosts that are none."""
    return []


@pytest.fixture
def sandbox(refusals: list[str]) -> Iterator[BubblewrapSandbox]:
    with open_index(lambda: NO_INDEXES, refusals.append) as index:
        yield isolating(index)


@pytest.fixture
def run(sandbox: BubblewrapSandbox, tmp_path: Path) -> Run:
    def run(*argv: str, network: bool = False, limits: Limits | None = None) -> Outcome:
        command = Command(argv, tmp_path, writable=(tmp_path,), network=network, limits=limits or Limits(wall=20))
        return sandbox.run(command, lambda _: None)

    return run


def test_this_machine_can_isolate(sandbox: BubblewrapSandbox) -> None:
    sandbox.check()


def test_missing_bubblewrap_is_told_with_the_package_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SandboxMissing, match="apt-get install bubblewrap"):
        BubblewrapSandbox(PlainSandbox(), ()).check()


def test_the_work_folder_is_writable_and_every_python_runs(run: Run, tmp_path: Path) -> None:
    for python in interpreters().values():
        assert run(str(python), "-c", "open('made', 'w').write('by ' + __import__('sys').version)").ok
    assert (tmp_path / "made").read_text().startswith("by 3.")


def test_the_workers_environment_is_nowhere(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "do-not-read-me")
    seen = run("sh", "-c", "env; cat /proc/*/environ; ls /proc")
    assert "do-not-read-me" not in seen.output
    assert str(os.getpid()) not in seen.output.split()


def test_files_of_the_machine_are_not_there(run: Run) -> None:
    for path in (Path.home() / ".aws", Path(__file__), Path("/etc/shadow"), Path("/var/lib")):
        assert not run("test", "-e", str(path)).ok, path


def test_nothing_outside_the_work_folder_can_be_written(run: Run) -> None:
    for path in ("/usr/x", "/x", "/etc/x", f"{Path(PYTHON).parent}/x"):
        assert "Read-only file system" in run("touch", path).output


@pytest.mark.parametrize("network", [False, True])
def test_no_port_of_this_machine_can_be_reached(run: Run, network: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        code = f"import socket; socket.create_connection(('127.0.0.1', {port}), 2)"
        assert "ConnectionRefusedError" in run(PYTHON, "-c", code, network=network).output


def test_the_metadata_service_cannot_be_reached(run: Run) -> None:
    code = "import socket; socket.create_connection(('169.254.169.254', 80), 2)"
    assert "Network is unreachable" in run(PYTHON, "-c", code, network=True).output


def test_a_host_that_is_not_an_index_is_refused_and_told(run: Run, refusals: list[str]) -> None:
    code = "import urllib.request; urllib.request.urlopen('https://elsewhere.example/', timeout=5)"
    assert not run(PYTHON, "-c", code, network=True).ok
    assert refusals == ["warning: refused: no way from a build to elsewhere.example:443"]


def test_a_background_process_does_not_outlive_its_command(run: Run) -> None:
    run("sh", "-c", f"setsid -f sleep {SECONDS}; exit 0")
    assert sleeping() == []


def test_a_command_that_ignores_everything_is_ended(run: Run) -> None:
    outcome = run("sh", "-c", f"trap '' TERM INT HUP; while :; do sleep {SECONDS}; done", limits=Limits(wall=0.5))
    assert outcome.stopped == "time"
    assert sleeping() == []


def test_it_gains_no_privileges(run: Run) -> None:
    assert "CapEff:\t0000000000000000" in run("cat", "/proc/self/status").output
    assert not run("unshare", "--user", "true").ok
    assert not run("mount", "-t", "tmpfs", "none", "/tmp").ok


def sleeping() -> list[Path]:
    return [path for path in Path("/proc").glob("[0-9]*/cmdline") if f"sleep\0{SECONDS}".encode() in _read(path)]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


SETTINGS = ("/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe", "/proc/sys/vm/drop_caches",
            "/proc/sysrq-trigger", "/proc/irq/default_smp_affinity")  # fmt: skip


@pytest.mark.parametrize("path", SETTINGS)
def test_the_kernels_settings_cannot_be_changed(run: Run, path: str) -> None:
    """Nothing is ever written: opening decides. Whoever could write the first would run a program as root."""
    tried = run(PYTHON, "-c", f"import os\nos.close(os.open({path!r}, os.O_WRONLY))")
    assert not tried.ok
    assert any(word in tried.output for word in ("Read-only", "Permission", "No such file")), tried.output


def test_settings_of_the_kernel_can_be_read(run: Run) -> None:
    assert run("cat", "/proc/sys/kernel/ostype").output == "Linux"


@pytest.mark.skipif(os.geteuid() != 0, reason="only the machine's root could write them")
def test_a_sandbox_that_does_not_cover_them_is_found_out(
    sandbox: BubblewrapSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("builder.sandbox.bubblewrap._KERNEL", ())
    with pytest.raises(SandboxMissing, match="could write to /proc/sys/kernel/core_pattern"):
        sandbox.check()


def test_a_command_sees_only_the_libraries_that_it_may(sandbox: BubblewrapSandbox) -> None:
    (folder,) = library_folders()
    names = frozenset({"libc.so.6", "libm.so.6", "libsmartcols.so.1", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"})
    listing = f"print(sorted(name for name in __import__('os').listdir('{folder}') if '.so' in name))"
    command = Command((PYTHON, "-I", "-S", "-c", listing), Path("/"), libraries=names)
    seen = sandbox.run(command, lambda _: None)
    assert seen.ok, seen.output
    assert seen.output == str(sorted(name for name in names if (folder / name).exists()))
    write = Command((PYTHON, "-I", "-S", "-c", f"open('{folder}/libx.so', 'w')"), Path("/"), libraries=names)
    assert "Read-only file system" in sandbox.run(write, lambda _: None).output

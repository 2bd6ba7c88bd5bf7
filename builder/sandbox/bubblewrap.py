"""Isolation of one command with bubblewrap: its own namespaces, a read-only system, one way out.

The command sees the system's programs and libraries, the Python interpreters, and the folders that `Command` names; no
other file, no process but its own, no network but (when asked for) the package indexes through a proxy.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from auto_lambda.index_settings import names_index
from auto_lambda.model import BuildLog
from builder.sandbox.process import Isolated
from builder.sandbox.sandbox import FORWARD, Command, IndexAccess, Outcome, PlainSandbox

_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/lib32", "/libx32")
_ETC = ("alternatives", "ca-certificates", "crypto-policies", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime",
        "nsswitch.conf", "pki", "protocols", "services", "ssl")  # fmt: skip
_LIBRARY_FOLDERS = ("/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib")
_LIBRARY_CACHE = "ld.so.cache"  # of /etc
_ALL_LIBRARIES = "/run/libraries"
# What belongs to the C library, to OpenSSL and to Python and lies beside the libraries.
_BESIDE = ("gconv", "engines-3", "ossl-modules", "python3*")
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "PIP_CERT")
_KERNEL = ("bus", "fs", "irq", "sys", "sysrq-trigger")  # of /proc
_SOCKET = "/run/index.sock"
_TMP_BYTES = 2 * 1024**3
_MARGIN = 16  # processes
_WRITABLE = 77  # an exit status that nothing else has
# The kernel runs the program that the first one names, as root, for each process that crashes.
_PROBE = (
    "for it in /proc/sys/kernel/core_pattern /proc/sys/kernel/modprobe /proc/sysrq-trigger /sys; do"
    f" if test -w $it; then echo $it; exit {_WRITABLE}; fi; done"
)
_SHARED_MEMORY_BYTES = 256 * 1024**2


class SandboxMissing(Exception):
    """This machine cannot isolate untrusted code; the message says what to install or to enable."""


class BubblewrapSandbox:
    """Isolates commands and leaves bounding them to another sandbox.

    Args:
        bounds: runs the finished bubblewrap command within its limits.
        interpreters: installation folders of the Pythons that commands may use, read-only inside.
        index: the way of commands with ``network`` to the package indexes; None leaves them without.
    """

    def __init__(self, bounds: PlainSandbox, interpreters: Iterable[Path], index: IndexAccess | None = None) -> None:
        self._bounds = bounds
        self._interpreters = tuple(interpreters)
        self._index = index
        self._bwrap = shutil.which("bwrap") or ""

    def check(self) -> None:
        """Run next to nothing, isolated.

        Raises:
            SandboxMissing: bubblewrap is not installed, the kernel gives it no namespaces, or who is inside could
                change the kernel's settings.
        """
        if not self._bwrap:
            raise SandboxMissing(
                "bubblewrap is not installed: `apt-get install bubblewrap` or `dnf install bubblewrap`"
            )
        outcome = self.run(Command(("/bin/sh", "-c", _PROBE), Path("/")), lambda _: None)
        if outcome.returncode == _WRITABLE and outcome.output:
            raise SandboxMissing(f"code in the sandbox could write to {outcome.output}")
        if not outcome.ok:
            raise SandboxMissing(f"bubblewrap cannot isolate here: {outcome.output or outcome.returncode}")

    def run(self, command: Command, log: BuildLog) -> Outcome:
        """Run isolated, to the end or to a limit, telling ``log`` each line of output."""
        command = _without_indexes(command)
        if command.network and self._index:
            mounts = (*command.mounts, (self._index.socket, _SOCKET), *_certificates(command.env))
            command = replace(self._index.connect(command, _SOCKET), mounts=mounts)
        return self._bounds.bounded(command, log, self._isolated)

    def _isolated(self, command: Command, environment: Mapping[str, str]) -> Isolated:
        readable = (*self._interpreters, FORWARD, *command.readable)
        mounts = [word for path in readable for word in ("--ro-bind", str(path), str(path))]
        mounts += [word for path, place in command.mounts for word in ("--ro-bind", str(path), place)]
        mounts += [word for path in command.writable for word in ("--bind", str(path), str(path))]
        variables = [word for name, value in environment.items() for word in ("--setenv", name, value)]
        options = (
            "--unshare-all", "--unshare-user", "--disable-userns", "--cap-drop", "ALL", "--die-with-parent",
            "--new-session", "--clearenv", *variables, *_system(command.libraries), "--proc", "/proc",
            *_kernel(), "--dev", "/dev",
            "--size", str(_SHARED_MEMORY_BYTES), "--tmpfs", "/dev/shm", "--remount-ro", "/dev",  # noqa: S108
            "--size", str(_TMP_BYTES), "--tmpfs", "/tmp",  # noqa: S108 - the sandbox's own
            "--dir", "/run", *mounts, "--remount-ro", "/", "--chdir", str(command.cwd),
        )  # fmt: skip
        # Inside, because the limit then counts the processes of this sandbox; the kernel spares root. A little more
        # than the limit, so that who looks can see it passed.
        processes = ("/usr/bin/prlimit", f"--nproc={command.limits.processes + _MARGIN}", "--")
        return Isolated(self._bwrap, options, (*processes, *command.argv))


def _without_indexes(command: Command) -> Command:
    """Remove the machine's index settings from a command: their addresses may hold passwords."""
    return replace(command, env={name: value for name, value in command.env.items() if not names_index(name)})


def _certificates(env: Mapping[str, str]) -> Iterator[tuple[Path, str]]:
    """Certificates that this machine trusts beyond its system's own, where the command is told to look for them."""
    for name in _CERTIFICATES:
        path = Path(env.get(name) or "/etc/ssl")
        if path.exists() and not path.is_relative_to("/etc/ssl"):
            yield path, str(path)


def _kernel() -> Iterator[str]:
    """Make the kernel's settings read-only: where the machine's root runs a builder, its user may write them."""
    for name in _KERNEL:
        yield from ("--ro-bind-try", f"/proc/{name}", f"/proc/{name}")


def library_folders() -> tuple[Path, ...]:
    """Return where the system's loader finds libraries, but for those that only its cache knows."""
    return tuple(path for path in map(Path, _LIBRARY_FOLDERS) if (path / "libc.so.6").exists())


def _system(libraries: frozenset[str] | None) -> Iterator[str]:
    for name in _SYSTEM:
        path = Path(name)
        if path.is_symlink():
            yield from ("--symlink", str(path.readlink()), name)
        elif path.is_dir():
            yield from ("--ro-bind", name, name)
    for name in _ETC:
        if libraries is None or name != _LIBRARY_CACHE:
            yield from ("--ro-bind-try", f"/etc/{name}", f"/etc/{name}")
    for number, folder in enumerate(() if libraries is None else library_folders()):
        yield from _only(libraries or frozenset(), folder, f"{_ALL_LIBRARIES}/{number}")


def _only(libraries: frozenset[str], folder: Path, place: str) -> Iterator[str]:
    """Hide a folder's libraries but those; linked, as a hundred mounts would take a hundred times as long."""
    shown = [name for name in sorted(libraries) if (folder / name).exists()]
    shown += sorted(path.name for pattern in _BESIDE for path in folder.glob(pattern))
    yield from ("--ro-bind", str(folder), place, "--tmpfs", str(folder))
    for name in shown:
        yield from ("--symlink", f"{place}/{name}", str(folder / name))
    yield from ("--remount-ro", str(folder))

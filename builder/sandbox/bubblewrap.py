"""Isolation of one command with bubblewrap: its own namespaces, a read-only system, one way out.

The command sees the system's programs and libraries, the Python interpreters, and the folders that `Command` names; no
other file, no process but its own, no network but (when asked for) the package indexes through `IndexProxy`.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from auto_lambda.model import Say
from builder.index.hosts import Indexes, tells_of_indexes
from builder.index.proxy import IndexProxy
from builder.index.upstream import Upstream
from builder.sandbox.sandbox import Command, Outcome, PlainSandbox

_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/lib32", "/libx32")
_ETC = ("alternatives", "ca-certificates", "crypto-policies", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime",
        "nsswitch.conf", "pki", "protocols", "services", "ssl")  # fmt: skip
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "PIP_CERT")
_SOCKET = "/run/index.sock"
_FORWARD = Path(__file__).with_name("inside") / "forward.py"
_PROXY_PORT = 3128
_TMP_BYTES = 2 * 1024**3
_MARGIN = 16  # processes
_SHARED_MEMORY_BYTES = 256 * 1024**2


class SandboxMissing(Exception):
    """This machine cannot isolate strangers' code; the message says what to install or to switch on."""


class BubblewrapSandbox:
    """Isolates commands and leaves bounding them to another sandbox.

    Args:
        bounds: runs the finished bubblewrap command within its limits.
        interpreters: installation folders of the Pythons that commands may use, read-only inside.
        indexes: what a command with ``network`` may reach; asked for at each, as tokens are renewed.
    """

    def __init__(self, bounds: PlainSandbox, interpreters: Iterable[Path], indexes: Callable[[], Indexes]) -> None:
        self._bounds = bounds
        self._interpreters = tuple(interpreters)
        self._indexes = indexes
        self._upstream = Upstream()
        self._bwrap = shutil.which("bwrap") or ""

    def check(self) -> None:
        """Run nothing, isolated.

        Raises:
            SandboxMissing: bubblewrap is not installed, or the kernel gives it no namespaces.
        """
        if not self._bwrap:
            raise SandboxMissing(
                "bubblewrap is not installed: `apt-get install bubblewrap` or `dnf install bubblewrap`"
            )
        outcome = self.run(Command(("true",), Path("/")), lambda _: None)
        if not outcome.ok:
            raise SandboxMissing(f"bubblewrap cannot isolate here: {outcome.output or outcome.returncode}")

    def run(self, command: Command, say: Say) -> Outcome:
        """Run isolated, to the end or to a limit, telling ``say`` each line of output and each refused address."""
        if not command.network:
            return self._bounds.bounded(self._isolated(_without_indexes(command)), say, namespace=True)

        def refused(host: str) -> None:
            say(f"warning: refused: no way from a build to {host}")

        with _short_folder() as folder:
            indexes = self._indexes()
            with IndexProxy(folder / "index.sock", indexes, refused, self._upstream) as proxy:
                return self._bounds.bounded(
                    self._connected(_without_indexes(command), proxy.socket_path, indexes), say, namespace=True
                )

    def _connected(self, command: Command, socket: Path, indexes: Indexes) -> Command:
        address = f"http://127.0.0.1:{_PROXY_PORT}"
        env = {**command.env, **indexes.environment(), "HTTPS_PROXY": address, "HTTP_PROXY": address}
        forward = ("python3", "-I", str(_FORWARD), _SOCKET, str(_PROXY_PORT), *command.argv)
        mounts = (*command.mounts, (socket, _SOCKET), *_certificates(command.env))
        return self._isolated(replace(command, argv=forward, env=env, mounts=mounts))

    def _isolated(self, command: Command) -> Command:
        readable = (*self._interpreters, _FORWARD, *command.readable)
        mounts = [word for path in readable for word in ("--ro-bind", str(path), str(path))]
        mounts += [word for path, place in command.mounts for word in ("--ro-bind", str(path), place)]
        mounts += [word for path in command.writable for word in ("--bind", str(path), str(path))]
        argv = (
            self._bwrap, "--unshare-all", "--unshare-user", "--disable-userns", "--cap-drop", "ALL",
            "--die-with-parent", "--new-session", *_system(), "--proc", "/proc", "--dev", "/dev",
            "--size", str(_SHARED_MEMORY_BYTES), "--tmpfs", "/dev/shm", "--remount-ro", "/dev",  # noqa: S108
            "--size", str(_TMP_BYTES), "--tmpfs", "/tmp",  # noqa: S108 - the sandbox's own
            "--dir", "/run", *mounts, "--remount-ro", "/", "--chdir", str(command.cwd), "--",
            # Inside, because the limit then counts the processes of this sandbox; the kernel spares root. A little more
            # than the limit, so that who looks can see it passed.
            "/usr/bin/prlimit", f"--nproc={command.limits.processes + _MARGIN}", "--", *command.argv,
        )  # fmt: skip
        return replace(command, argv=argv, cwd=Path("/"))


def _without_indexes(command: Command) -> Command:
    """The command without any word of the machine on indexes: addresses may hold passwords."""
    return replace(command, env={name: value for name, value in command.env.items() if not tells_of_indexes(name)})


def _certificates(env: Mapping[str, str]) -> Iterator[tuple[Path, str]]:
    """Certificates that this machine trusts beyond its system's own, where the command is told to look for them."""
    for name in _CERTIFICATES:
        path = Path(env.get(name) or "/etc/ssl")
        if path.exists() and not path.is_relative_to("/etc/ssl"):
            yield path, str(path)


def _system() -> Iterator[str]:
    for name in _SYSTEM:
        path = Path(name)
        if path.is_symlink():
            yield from ("--symlink", str(path.readlink()), name)
        elif path.is_dir():
            yield from ("--ro-bind", name, name)
    for name in _ETC:
        yield from ("--ro-bind-try", f"/etc/{name}", f"/etc/{name}")


@contextmanager
def _short_folder() -> Iterator[Path]:
    """A folder whose path leaves room for a socket's name (the kernel takes 107 bytes)."""
    with tempfile.TemporaryDirectory(prefix="al-", dir="/tmp") as name:
        yield Path(name)

"""Interpreters of this machine, and the pinned tool environments made from them.

A tool environment is a virtual environment with exactly the packages of ``auto_lambda/locks/<name>.txt``, made on first
use and kept in the cache folder under the hash of its lock, so that processes and checkouts share it safely.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import hashlib
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Protocol

from auto_lambda.index_settings import certificates
from auto_lambda.processes import programs

LOCKS = Path(__file__).with_name("locks")
BAKED = Path("/usr/local/lib/auto-lambda/tools")
_LOCK_SECONDS = 0.1  # between two tries
_PROBE = "import sys; print('%d.%d' % sys.version_info[:2]); print(getattr(sys, '_base_executable', sys.executable))"


class ToolError(Exception):
    """A tool environment could not be created, or an interpreter is missing: the machine's fault, not an app's."""


def cache_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the folder for tool environments and other caches: ``AUTO_LAMBDA_CACHE``, else in the user's cache."""
    if chosen := environ.get("AUTO_LAMBDA_CACHE"):
        return Path(chosen)
    base = environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "auto-lambda"


def uv_executable() -> str:
    """Return the path of the uv that was installed with us."""
    import uv  # the checker has none

    return os.fsdecode(uv.find_uv_bin())


@functools.cache
def interpreters() -> Mapping[str, Path]:
    """Find the CPython interpreters of this machine, by version (``"3.12"``); the first working one on PATH wins."""
    found: dict[str, Path] = {}
    for candidate in _candidates():
        minor = candidate.name.removeprefix("python")
        if minor not in found and (real := _probe(candidate, minor)):
            found[minor] = real
    return found


def _candidates() -> Iterator[Path]:
    folders = [Path(entry) for entry in os.environ.get("PATH", "").split(os.pathsep) if entry]
    folders += [Path("/usr/local/bin"), Path("/usr/bin"), Path(sys.base_prefix, "bin")]
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    folders += sorted(pyenv.glob("versions/3.*/bin"), reverse=True)
    for folder in folders:
        for minor in range(11, 15):
            if (path := folder / f"python3.{minor}").exists():
                yield path


def _probe(candidate: Path, minor: str) -> Path | None:
    try:
        done = programs.run([candidate, "-I", "-c", _PROBE], os.environ, timeout=20)
    except programs.ProgramFailed:
        return None
    if done.returncode:  # for example a version manager's shim for a version that is not active
        return None
    answer = done.stdout.split("\n")
    return Path(answer[1]) if answer[0] == minor else None


class Tools(Protocol):
    """Hands out the interpreters of tool environments."""

    def python(self, name: str, minor: str) -> Path:
        """Return the interpreter of environment ``name`` for Python ``minor``; raise `ToolError` without one."""


class ToolEnvironments:
    """Creates and finds the pinned environments.

    Args:
        folder: holds them; created if missing.
        baked: environments in the machine image, used first and never written to.
    """

    def __init__(self, folder: Path | None = None, baked: Path | None = BAKED) -> None:
        self._folder = folder or cache_folder() / "tools"
        self._baked = baked

    @property
    def folders(self) -> tuple[Path, ...]:
        """The folders that environments are looked for in."""
        return tuple(folder for folder in (self._baked, self._folder) if folder)

    def prepare(self) -> None:
        """Make the folder for new environments, readable for builders, which are other users."""
        self._folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        with contextlib.suppress(PermissionError):  # another user's, who has made it readable
            self._folder.chmod(0o755)

    def python(self, name: str, minor: str) -> Path:
        """Return the interpreter of environment ``name`` for Python ``minor``, creating the environment if needed.

        Raises:
            ToolError: no such interpreter on this machine, or the installation failed (its output is in the message).
        """
        lock = LOCKS / f"{name}.txt"
        base = interpreters().get(minor)
        if base is None:
            raise ToolError(f"this machine has no python{minor} (has: {', '.join(sorted(interpreters())) or 'none'})")
        full_name = _full_name(name, minor, base, lock)
        if made := self._made(full_name):
            return made
        target = self._folder / full_name
        self.prepare()
        with exclusive(self._folder / f"{full_name}.making"):
            if not target.exists():
                self._make(target, base, lock)
        return target / "bin" / "python"

    def made(self, name: str) -> Mapping[str, Path]:
        """Return the interpreters of the existing environments ``name``, by Python version."""
        lock = LOCKS / f"{name}.txt"
        found = {minor: self._made(_full_name(name, minor, base, lock)) for minor, base in interpreters().items()}
        return {minor: python for minor, python in found.items() if python}

    def _made(self, full_name: str) -> Path | None:
        return made_in(self.folders, full_name)

    def _make(self, target: Path, base: Path, lock: Path) -> None:
        fresh = target.with_name(f"{target.name}.new")  # not with_suffix: the minor's dot is no suffix
        shutil.rmtree(fresh, ignore_errors=True)
        _uv("venv", "--quiet", "--relocatable", "--python", str(base), str(fresh))
        _uv(
            "pip", "install", "--quiet", "--compile-bytecode", "--require-hashes",
            "--python", str(fresh / "bin" / "python"), "--requirements", str(lock),
        )  # fmt: skip
        fresh.rename(target)


def made_in(folders: Iterable[Path], full_name: str) -> Path | None:
    """Return the interpreter of an environment that one of the folders holds."""
    found = (folder / full_name for folder in folders)
    return next((folder / "bin" / "python" for folder in found if folder.exists()), None)


def environment_name(name: str, minor: str, base: Path) -> str:
    """Return the folder name of environment ``name`` for Python ``minor``, made from interpreter ``base``."""
    return _full_name(name, minor, base, LOCKS / f"{name}.txt")


def _full_name(name: str, minor: str, base: Path, lock: Path) -> str:
    digest = hashlib.sha256(lock.read_bytes() + os.fsencode(base)).hexdigest()[:12]
    return f"{name}-{minor}-{digest}"


def _uv(*arguments: str) -> None:
    environ = {**os.environ, **certificates(os.environ), "UV_PYTHON_DOWNLOADS": "never"}
    done = programs.run([uv_executable(), *arguments], environ, umask=0o022)
    if done.returncode:
        raise ToolError(f"uv {' '.join(arguments[:2])} failed:\n{done.stderr.strip()}")


@contextmanager
def exclusive(path: Path, check: Callable[[], None] | None = None) -> Iterator[None]:
    """Hold a lock file against other threads and processes; it stays where it is.

    Args:
        path: the lock file.
        check: called several times a second while another holds it; ends the wait by what it raises.
    """
    with path.open("w") as file:
        while check and not _locked(file):
            check()
            time.sleep(_LOCK_SECONDS)
        if check is None:
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _locked(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

"""Builds what has no fitting wheel, once per fleet: alone in the sandbox, checked, mended, kept with its provenance.

A build starts with nothing but the source, the interpreter and an empty cache, so that what comes out depends on what
its key says and on nobody else's code.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from auto_lambda.errors import AppError, Code
from auto_lambda.model import Say
from auto_lambda.tools import ToolEnvironments, exclusive
from builder.dependencies import repair
from builder.dependencies.lock import content_digest
from builder.dependencies.sdists import Sdist
from builder.dependencies.uv import IndexTrouble, Target, Uv
from builder.dependencies.uv_errors import build_failed
from builder.dependencies.wheel_store import Record, Shelf, Spoiled, checked, key_of, verify
from builder.dependencies.wheels import BadWheel, check, fits, is_for_this_machine_only
from builder.sandbox.sandbox import MEGABYTE, Sandbox, remove_tree

_DOWNLOAD = Path(__file__).with_name("inside") / "download.py"
_MOST_BYTES = 512 * MEGABYTE
_AT_ONCE = 2 * len(os.sched_getaffinity(0))  # half of a small build is waiting for the index
# The same source gives the same bytes on every worker: no dates, and no debug notes, which name the build's folder.
_ENVIRONMENT = {"SOURCE_DATE_EPOCH": "315532800", "CFLAGS": "-g0", "CXXFLAGS": "-g0", "PYTHONHASHSEED": "0"}


@dataclass(frozen=True, slots=True)
class Source:
    """What a wheel is built from.

    Attributes:
        shown: for people: ``psycopg2 2.9.9``, or a path inside the zip.
        sha256: of the sdist, or of the content of a local project.
        origin: an `Sdist` on the index, or a file or folder of our own.
    """

    shown: str
    sha256: str
    origin: Sdist | Path


@dataclass(frozen=True, slots=True)
class Wheel:
    """A wheel on this machine, with its SHA-256 in hex."""

    path: Path
    sha256: str


class Farm:
    """Makes wheels, and keeps what it made.

    Args:
        uv: builds, with a cache of its own each time.
        sandbox: fetches sources and mends wheels.
        tools: has auditwheel.
        folder: where wheels are kept on this machine.
        shelf: where all workers keep them.
        worker: our name in provenance records.
        clock: seconds since the epoch.
    """

    def __init__(
        self, uv: Uv, sandbox: Sandbox, tools: ToolEnvironments, folder: Path, shelf: Shelf, *, worker: str = "",
        clock: Callable[[], float] = time.time,
    ) -> None:  # fmt: skip
        self._uv = uv
        self._sandbox = sandbox
        self._tools = tools
        self.folder = folder
        self._shelf = shelf
        self._worker = worker
        self._clock = clock

    def wheels(self, sources: tuple[Source, ...], target: Target, work: Path, say: Say) -> tuple[Wheel, ...]:
        """A wheel for each source, from this machine, from the shelf, or built now, a few at a time.

        Safe with other threads, processes and workers: on one machine one builds and the others wait; of two workers
        that build the same, both use what the shelf kept.

        Raises:
            AppError: ``dependency-build-failed``, ``dependency-does-not-fit``, or a limit was passed.
            IndexTrouble: not the uploader's fault.
        """
        self.folder.mkdir(parents=True, exist_ok=True)

        def make(numbered: tuple[int, Source]) -> Wheel:
            place = work / f"farm-{numbered[0]}"
            place.mkdir()
            return self._wheel(numbered[1], target, place, say)

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return tuple(pool.map(make, enumerate(sources)))

    def adopt(self, wheel: Path, shown: str, work: Path) -> Wheel:
        """Take in a wheel that came in the zip, under its hash, after a strict look into it.

        Raises:
            AppError: ``bad-requirements``: it is no sound wheel.
        """
        try:
            check(wheel, work / "look")
        except BadWheel as error:
            raise AppError(
                Code.BAD_REQUIREMENTS, f"{shown} can't be used: {error}", hint="Build that wheel again."
            ) from None
        digest = _sha256(wheel)
        place = self.folder / f"own-{digest}"
        place.mkdir(parents=True, exist_ok=True)
        fresh = place / f"{wheel.name}.{os.getpid()}-{time.monotonic_ns()}"
        shutil.copyfile(wheel, fresh)
        fresh.replace(place / wheel.name)
        return Wheel(place / wheel.name, digest)

    def _wheel(self, source: Source, target: Target, work: Path, say: Say) -> Wheel:
        parts = _key_parts(source, target)
        place = self.folder / key_of(parts)
        with exclusive(place.with_suffix(".making")):
            if kept := _kept(place, say, source):
                return kept
            fresh = place.with_suffix(".new")
            remove_tree(fresh)
            fresh.mkdir()
            record = self._from_shelf(place.name, source, fresh, say)
            if isinstance(record, Spoiled) or record is None:
                made = self._build(source, parts, target, work, say)
                record = self._offered(place.name, made, work, fresh, anew=record is not None)
            (fresh / "record.json").write_text(json.dumps(record))
            remove_tree(place)
            fresh.rename(place)
        return Wheel(place / record["wheel"]["file"], record["wheel"]["sha256"])

    def _from_shelf(self, key: str, source: Source, into: Path, say: Say) -> Record | Spoiled | None:
        try:
            record = self._shelf.fetch(key, into)
        except Spoiled as error:
            say(f"{source.shown}: the wheel that was stored is spoiled ({error}): built anew")
            remove_tree(into)
            into.mkdir()
            return error
        if record:
            say(f"{source.shown}: built before by {record.get('worker') or 'a worker'}")
        return record

    def _offered(self, key: str, made: tuple[Record, Path], work: Path, into: Path, *, anew: bool) -> Record:
        """Store what was built, then take what is stored: the other worker's where that one was quicker."""
        record, wheel = made
        self._shelf.store(key, record, wheel, anew=anew)
        stored = work / "stored"
        stored.mkdir()
        kept = self._shelf.fetch(key, stored) or record
        path = stored / kept["wheel"]["file"]
        shutil.move(path if path.exists() else wheel, into / kept["wheel"]["file"])
        return kept

    def _build(
        self, source: Source, parts: dict[str, str], target: Target, work: Path, say: Say
    ) -> tuple[Record, Path]:
        started = self._clock()
        say(f"{source.shown}: no wheel fits, building it from source")
        path = self._fetched(source.origin, target, work) if isinstance(source.origin, Sdist) else _copied(source, work)
        wheel = self._compiled(source, path, target, work)
        bundled: tuple[str, ...] = ()
        if is_for_this_machine_only(wheel.name) and _compiles_for(target):
            wheel, bundled = repair.repaired(wheel, source.shown, target, work, self._sandbox, self._tools)
            say(f"{source.shown}: carries {', '.join(bundled)}" if bundled else f"{source.shown}: {wheel.name}")
        if not fits(wheel.name, target):
            raise repair.does_not_fit(f"{source.shown} built to {wheel.name}", target)
        self._checked(wheel, source, work)
        return self._record(source, parts, target, wheel, bundled, started), wheel

    def _compiled(self, source: Source, path: Path, target: Target, work: Path) -> Path:
        out = work / "built"
        out.mkdir()
        arguments = ("build", "--wheel", str(path), "--out-dir", str(out), "--no-create-gitignore", "--no-sources")
        outcome = self._uv.run(arguments, target, lambda _: None, cwd=work, writable=(work,), env=_ENVIRONMENT)
        if not outcome.ok:
            raise build_failed(source.shown, outcome.output, target)
        found = [entry for entry in sorted(out.iterdir()) if entry.suffix == ".whl"]
        if len(found) != 1:
            raise _bad(source, f"left {len(found)} wheels instead of one")
        self._checked(found[0], source, work)
        return found[0]

    def _checked(self, wheel: Path, source: Source, work: Path) -> None:
        wanted = source.origin if isinstance(source.origin, Sdist) else None
        try:
            check(
                wheel, work / "look", name=wanted.name if wanted else None, version=wanted.version if wanted else None
            )
        except BadWheel as error:
            raise _bad(source, f"made no sound wheel: {error}") from None

    def _fetched(self, sdist: Sdist, target: Target, work: Path) -> Path:
        path = work / Path(sdist.filename).name
        outcome = self._uv.script(_DOWNLOAD, (sdist.url, str(path), str(_MOST_BYTES)), target, work)
        if not outcome.ok:
            raise IndexTrouble(f"{sdist.filename} could not be fetched: {outcome.output.splitlines()[-1:]}")
        if path.is_symlink() or not path.is_file() or _sha256(path) != sdist.sha256:
            raise IndexTrouble(f"{sdist.filename} came with another hash than the index promised")
        return path

    def _record(
        self, source: Source, parts: dict[str, str], target: Target, wheel: Path, bundled: tuple[str, ...],
        started: float,
    ) -> dict[str, Any]:  # fmt: skip
        origin = source.origin
        now = self._clock()
        return {
            "schema": 1,
            "key": parts,
            "wheel": {"file": wheel.name, "sha256": _sha256(wheel), "bytes": wheel.stat().st_size},
            "source": {
                "file": origin.filename if isinstance(origin, Sdist) else source.shown,
                "url": origin.url if isinstance(origin, Sdist) else None,
                "sha256": source.sha256,
            },
            "bundled": list(bundled),
            "tools": {**repair.versions(), "interpreter": str(target.interpreter), "worker_python": sys.version},
            "worker": self._worker,
            "built": datetime.fromtimestamp(now, UTC).isoformat(timespec="seconds"),
            "seconds": round(now - started, 1),
        }


def _kept(place: Path, say: Say, source: Source) -> Wheel | None:
    """What this machine has, if it is still what it was."""
    try:
        record = checked((place / "record.json").read_bytes(), place.name)
        wheel = place / record["wheel"]["file"]
        verify(wheel, record)
    except FileNotFoundError:
        return None
    except Spoiled as error:
        say(f"{source.shown}: the wheel that was kept is spoiled ({error})")
        return None
    os.utime(place)
    return Wheel(wheel, record["wheel"]["sha256"])


def _key_parts(source: Source, target: Target) -> dict[str, str]:
    """Everything that decides what comes out of a build."""
    return {
        "source": source.sha256,
        "abi": f"cp{target.python.replace('.', '')}",
        "architecture": target.architecture,
        "platform": target.platform,
        "image": image(),
        "format": "1",
    }


def image() -> str:
    """What this machine's compilers and libraries are of: the distribution, its release and its C library."""
    release = platform.freedesktop_os_release()
    return f"{release.get('ID', 'linux')}-{release.get('VERSION_ID', '')}-{'-'.join(platform.libc_ver())}"


def _copied(source: Source, work: Path) -> Path:
    """The source as it was uploaded: what ran before this build may have changed every copy that it could write to."""
    assert isinstance(source.origin, Path)  # noqa: S101 - for the type checker
    path = work / "source" / source.origin.name
    path.parent.mkdir()
    if source.origin.is_dir():
        shutil.copytree(source.origin, path, symlinks=True)
    else:
        shutil.copyfile(source.origin, path, follow_symlinks=False)
    if content_digest(path, work) != source.sha256:
        raise RuntimeError(f"{source.shown} was changed during its build")
    return path


def _compiles_for(target: Target) -> bool:
    return platform.machine() == target.platform.partition("-")[0]


def _bad(source: Source, what: str) -> AppError:
    hint = "Choose a release of it that offers a wheel, or put a wheel for it into the zip and name its path."
    return AppError(Code.DEPENDENCY_BUILD_FAILED, f"the build of {source.shown} {what}", hint=hint)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

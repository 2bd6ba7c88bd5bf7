"""Builds what has no fitting wheel: alone in the sandbox, checked, repaired, with a record of its provenance.

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
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from auto_lambda.errors import AppError, Code
from auto_lambda.model import BuildLog
from auto_lambda.tools import Tools
from builder.actions import Actions
from builder.dependencies import repair
from builder.dependencies.known.build_constraints import BuildConstraint, as_file, described, matching
from builder.dependencies.lock import content_digest
from builder.dependencies.sdists import Sdist
from builder.dependencies.uv import DOWNLOAD, INDEX_FAILED, BuildTarget, IndexTrouble, Uv
from builder.dependencies.uv_errors import build_failed
from builder.dependencies.wheels import BadWheel, check, fits, is_for_this_machine_only
from builder.protocol.messages import Action
from builder.sandbox.limit_errors import tampered
from builder.sandbox.result_file import read_plain
from builder.sandbox.sandbox import MEGABYTE, Outcome, Sandbox

RECORD = "record.json"
COMPILING_SECONDS = 1200.0
"""What all builds for one layer may take together; one alone may take as long as uv."""

_MOST_BYTES = 512 * MEGABYTE
_AT_ONCE = 2 * len(os.sched_getaffinity(0))  # half of a small build is waiting for the index
# The same source gives the same bytes on every worker: no dates, and no debug notes, which name the build's folder.
_ENVIRONMENT = {"SOURCE_DATE_EPOCH": "315532800", "CFLAGS": "-g0", "CXXFLAGS": "-g0", "PYTHONHASHSEED": "0"}


@dataclass(frozen=True, slots=True)
class BuildInput:
    """What a wheel is built from.

    Attributes:
        shown: for people: ``psycopg2 2.9.9``, or a path inside the zip.
        sha256: of the sdist, or of the content of a local project.
        origin: an `Sdist` on the index, or a file or folder of the upload.
    """

    shown: str
    sha256: str
    origin: Sdist | Path


@dataclass(frozen=True, slots=True)
class Wheel:
    """A wheel on this machine, with its SHA-256 in hex."""

    path: Path
    sha256: str


class WheelBuilder:
    """Makes wheels.

    Args:
        uv: builds, with a cache of its own each time.
        sandbox: fetches sources and repairs wheels.
        tools: has auditwheel.
        actions: build what comes from the index, each in a builder of its own.
        clock: seconds since the epoch.
        seconds: that all builds for one layer may take together.
    """

    def __init__(
        self,
        uv: Uv,
        sandbox: Sandbox,
        tools: Tools,
        actions: Actions,
        clock: Callable[[], float] = time.time,
        seconds: float = COMPILING_SECONDS,
    ) -> None:
        self._uv = uv
        self._sandbox = sandbox
        self._tools = tools
        self._actions = actions
        self._clock = clock
        self._seconds = seconds

    def wheels(
        self, inputs: tuple[BuildInput, ...], target: BuildTarget, work: Path, log: BuildLog
    ) -> tuple[Wheel, ...]:
        """Return a wheel for each input, a few at a time.

        Raises:
            AppError: ``dependency-build-failed``, ``dependency-does-not-fit``, ``result-tampered``, or a limit.
            OurTrouble: not the uploader's fault.
        """

        def make(numbered: tuple[int, BuildInput]) -> Wheel:
            number, one = numbered
            if isinstance(one.origin, Sdist):
                return _wheel_in(self._actions.run(wheel_action(one.origin, target), log).folder)
            place = work / f"wheel-{number}"
            place.mkdir()
            return _wheel_in(self.build(one, target, place, log))

        pool = ThreadPoolExecutor(_AT_ONCE)
        try:
            made = {pool.submit(make, numbered): numbered[1] for numbered in enumerate(inputs)}
            done, late = wait(made, self._seconds, FIRST_EXCEPTION)
            if late and not any(one.exception() for one in done):
                raise self._too_long([made[one].shown for one in made if one in late], target)
            return tuple(one.result() for one in sorted(made, key=lambda one: one in late))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)  # what still runs ends with this process

    def _too_long(self, shown: Sequence[str], target: BuildTarget) -> AppError:
        return AppError(
            Code.TOOK_TOO_LONG,
            f"building {', '.join(shown)} was stopped after {self._seconds / 60:.0f} minutes, which is what all builds "
            "of an app's dependencies may take together",
            hint=f"Require releases that offer wheels for Python {target.python} on {target.architecture} Linux, "
            'choose an older Python for the app (python = "..." in auto-lambda.toml), or put wheels into the zip and '
            "name their paths.",
        )

    def build(self, source: BuildInput, target: BuildTarget, work: Path, log: BuildLog) -> Path:
        """Build one wheel here and now; return a folder with it and the record of its provenance.

        Raises:
            AppError: ``dependency-build-failed``, ``dependency-does-not-fit``, or a limit was passed.
            IndexTrouble: not the uploader's fault.
        """
        record, wheel = self._build(source, target, work, log)
        out = work / "out"
        out.mkdir()
        shutil.move(wheel, out / wheel.name)
        (out / RECORD).write_text(json.dumps(record))
        return out

    def adopt(self, wheel: Path, shown: str, work: Path) -> Wheel:
        """Take in a copy of a wheel that came in the zip, after a strict look into it.

        Raises:
            AppError: ``bad-requirements``: it is no sound wheel.
        """
        place = Path(tempfile.mkdtemp(prefix="adopted-", dir=work))
        try:
            check(wheel, place / "look")
        except BadWheel as error:
            raise AppError(
                Code.BAD_REQUIREMENTS, f"{shown} can't be used: {error}", hint="Build that wheel again."
            ) from None
        shutil.copyfile(wheel, place / wheel.name, follow_symlinks=False)
        return Wheel(place / wheel.name, _sha256(place / wheel.name))

    def _build(self, source: BuildInput, target: BuildTarget, work: Path, log: BuildLog) -> tuple[dict[str, Any], Path]:
        started = self._clock()
        log(f"{source.shown}: no wheel fits, building it from source")
        path = self._fetched(source.origin, target, work) if isinstance(source.origin, Sdist) else _copied(source, work)
        wheel = self._compiled(source, path, target, work, log)
        bundled: tuple[str, ...] = ()
        if is_for_this_machine_only(wheel.name) and _compiles_for(target):
            wheel, bundled = self._repaired(wheel, source, target, work)
            log(f"{source.shown}: carries {', '.join(bundled)}" if bundled else f"{source.shown}: {wheel.name}")
        if not fits(wheel.name, target):
            raise repair.does_not_fit(f"{source.shown} built to {wheel.name}", target)
        return self._record(source, target, wheel, bundled, started), wheel

    def _compiled(self, source: BuildInput, path: Path, target: BuildTarget, work: Path, log: BuildLog) -> Path:
        """Run the source's build where it can write to nothing else, and take out a copy of the wheel."""
        outcome, out = self._attempt(path, target, work / "build", ())
        if not outcome.ok and (known := matching(outcome.output)):
            log(f"{source.shown}: its build failed, it is tried again with {described(known)}")
            again, out = self._attempt(path, target, work / "build-again", known)
            outcome = again if again.ok else outcome
        if not outcome.ok:
            raise build_failed(source.shown, outcome.output, target)
        found = [entry for entry in sorted(out.iterdir()) if entry.suffix == ".whl"] if _is_folder(out) else []
        if len(found) != 1:
            raise _bad(source, f"left {len(found)} wheels instead of one")
        return self._taken(found[0], source, work / "wheel")

    def _attempt(
        self, path: Path, target: BuildTarget, arena: Path, constraints: tuple[BuildConstraint, ...]
    ) -> tuple[Outcome, Path]:
        """Run a build, and return how it ended with the folder for the wheel."""
        out, file = arena / "out", arena / "build-constraints.in"
        out.mkdir(parents=True)
        file.write_text(as_file(constraints))
        arguments = (
            "build", "--wheel", str(path), "--out-dir", str(out), "--no-create-gitignore", "--no-sources",
            *(("--build-constraints", str(file)) if constraints else ()),
        )  # fmt: skip
        writable = (arena, path) if path.is_dir() else (arena,)
        outcome = self._uv.run(
            arguments, target, lambda _: None, cwd=arena, readable=(path,), writable=writable, env=_ENVIRONMENT
        )
        return outcome, out

    def _repaired(
        self, wheel: Path, source: BuildInput, target: BuildTarget, work: Path
    ) -> tuple[Path, tuple[str, ...]]:
        arena = work / "repair"
        arena.mkdir()
        repaired, bundled = repair.repaired(wheel, source.shown, target, arena, self._sandbox, self._tools)
        return self._taken(repaired, source, work / "repaired"), bundled

    @staticmethod
    def _taken(wheel: Path, source: BuildInput, into: Path) -> Path:
        """Copy a wheel out of a folder that untrusted code could write to, and check the copy."""
        wanted = source.origin if isinstance(source.origin, Sdist) else None
        into.mkdir()
        copy = into / wheel.name
        try:
            copy.write_bytes(read_plain(wheel, _MOST_BYTES))
            check(copy, into / "look", name=wanted.name if wanted else None, version=wanted.version if wanted else None)
        except (BadWheel, ValueError) as error:
            raise _bad(source, f"made no sound wheel: {error}") from None
        return copy

    def _fetched(self, sdist: Sdist, target: BuildTarget, work: Path) -> Path:
        path = work / "fetched" / Path(sdist.filename).name
        path.parent.mkdir()
        outcome = self._uv.script(DOWNLOAD, (sdist.url, str(path), str(_MOST_BYTES)), target, path.parent)
        if not outcome.ok:
            what = f"{sdist.filename} could not be fetched: {' '.join(outcome.output.splitlines()[-1:])}"
            if outcome.returncode == INDEX_FAILED or outcome.stopped == "time":
                raise IndexTrouble(what)
            raise AppError(
                Code.DEPENDENCY_BUILD_FAILED, what, hint="Choose a release whose files the package index offers."
            )
        if not path.is_file() or _sha256(path) != sdist.sha256:
            raise IndexTrouble(f"{sdist.filename} came with another hash than the index promised")
        return path

    def _record(
        self, source: BuildInput, target: BuildTarget, wheel: Path, bundled: tuple[str, ...], started: float
    ) -> dict[str, Any]:
        origin = source.origin
        now = self._clock()
        return {
            "schema": 1,
            "key": key_parts(source.sha256, target),
            "wheel": {"file": wheel.name, "sha256": _sha256(wheel), "bytes": wheel.stat().st_size},
            "source": {
                "file": origin.filename if isinstance(origin, Sdist) else source.shown,
                "url": origin.url if isinstance(origin, Sdist) else None,
                "sha256": source.sha256,
            },
            "bundled": list(bundled),
            "tools": {**repair.versions(), "interpreter": str(target.interpreter), "worker_python": sys.version},
            "built": datetime.fromtimestamp(now, UTC).isoformat(timespec="seconds"),
            "seconds": round(now - started, 1),
        }


def wheel_action(sdist: Sdist, target: BuildTarget) -> Action:
    """Return the action that builds a wheel from a source distribution of the index."""
    return Action(
        kind="wheel",
        inputs={
            "key": key_parts(sdist.sha256, target), "sdist": asdict(sdist), "python": target.python,
            "architecture": target.architecture,
        },
    )  # fmt: skip


def input_of(inputs: Mapping[str, Any], target: BuildTarget) -> BuildInput:
    """Return what an action's inputs want built.

    Raises:
        ValueError: its key is another's: under it, the wheel would be taken for what it is not.
    """
    sdist = Sdist(**inputs["sdist"])
    if inputs["key"] != key_parts(sdist.sha256, target):
        raise ValueError("the key of this wheel does not follow from its inputs")
    return BuildInput(f"{sdist.name} {sdist.version}", sdist.sha256, sdist)


def key_parts(sha256: str, target: BuildTarget) -> dict[str, str]:
    """Return everything that decides what comes out of the build of a source with this hash."""
    return {
        "source": sha256,
        "abi": f"cp{target.python.replace('.', '')}",
        "architecture": target.architecture,
        "platform": target.platform,
        "image": image(),
        "format": "1",
    }


def _wheel_in(folder: Path) -> Wheel:
    """Return the wheel of a result."""
    record = json.loads((folder / RECORD).read_text())["wheel"]
    return Wheel(folder / record["file"], record["sha256"])


def image() -> str:
    """Name what this machine builds with: the distribution, its release and its C library."""
    release = platform.freedesktop_os_release()
    return f"{release.get('ID', 'linux')}-{release.get('VERSION_ID', '')}-{'-'.join(platform.libc_ver())}"


def _copied(source: BuildInput, work: Path) -> Path:
    """Copy the source as it was uploaded: code that ran earlier may have changed any copy that it could write to."""
    assert isinstance(source.origin, Path)  # noqa: S101 - for the type checker
    path = work / "source" / source.origin.name
    path.parent.mkdir()
    if source.origin.is_dir():
        shutil.copytree(source.origin, path, symlinks=True)
    else:
        shutil.copyfile(source.origin, path, follow_symlinks=False)
    if content_digest(path, work) != source.sha256:
        raise tampered(f"building {source.shown}")
    return path


def _compiles_for(target: BuildTarget) -> bool:
    return platform.machine() == target.platform.partition("-")[0]


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _bad(source: BuildInput, what: str) -> AppError:
    hint = "Choose a release of it that offers a wheel, or put a wheel for it into the zip and name its path."
    return AppError(Code.DEPENDENCY_BUILD_FAILED, f"the build of {source.shown} {what}", hint=hint)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

"""A lock into a dependency layer: installed once, tidied until only its content is left, zipped, kept.

The same lock gives the same bytes, so layers are found by their lock in the local cache and by their content in the
artifacts bucket.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from auto_lambda.errors import AppError, Code
from auto_lambda.model import Say
from auto_lambda.tools import exclusive
from builder.dependencies import bytecode
from builder.dependencies.cache import using
from builder.dependencies.lock import Lock
from builder.dependencies.uv import Target, Uv
from builder.dependencies.uv_errors import explain
from builder.dependencies.wheel_builder import Farm, Wheel
from builder.dependencies.wheel_builder import Source as Buildable
from builder.dependencies.zips import UnsafeTree, check_plain, write_zip
from builder.model import Layer
from builder.sandbox.sandbox import Outcome, Sandbox, remove_tree

MAX_BYTES = 262_144_000
"""Lambda's quota on a function and its layers, unzipped (Lambda Developer Guide, 'Lambda quotas': 250 MB)."""

ROOM_FOR_CODE = 20_000_000
"""Bytes of the quota that bytecode leaves alone."""

_FORMAT = "3"  # raised when layers from the same lock come to hold other bytes
_OF_THIS_MACHINE = ("direct_url.json", "uv_cache.json", "uv_build.json")
_LARGEST = 8


class Layers:
    """Makes layers, and keeps what it made.

    Args:
        uv: installs; its cache lies below ``folder``, so that files are linked, not copied.
        farm: builds what has no fitting wheel.
        sandbox: compiles bytecode.
        folder: where layers are kept, below ``layers``, each under the hash of its lock and target.
    """

    def __init__(self, uv: Uv, farm: Farm, sandbox: Sandbox, folder: Path) -> None:
        self._uv = uv
        self._farm = farm
        self._sandbox = sandbox
        self._shared = folder
        self._folder = folder / "layers"

    def layer(self, lock: Lock, target: Target, work: Path, say: Say) -> Layer | None:
        """The layer of a lock, made now if this machine has not made it yet; None for an empty lock.

        Safe with other threads and processes on the same folder: one makes it, the others wait.

        Raises:
            AppError: ``dependency-build-failed``, ``dependency-does-not-fit`` or ``package-too-large``.
            IndexTrouble: not the uploader's fault.
        """
        if not lock.pins:
            return None
        place = self._folder / _key(lock, target)
        if not place.exists():
            self._folder.mkdir(parents=True, exist_ok=True)
            with exclusive(place.with_suffix(".making")):
                if not place.exists():
                    self._make(place, lock, target, work, say)
                    return _layer(place)
        os.utime(place)  # what was used last is removed last
        say(f"dependencies: seen before, layer {place.name[:12]}")
        return _layer(place)

    def _make(self, place: Path, lock: Lock, target: Target, work: Path, say: Say) -> None:
        fresh = place.with_suffix(".new")
        remove_tree(fresh)
        site = fresh / "tree" / "python"
        try:
            with using(self._shared / "uv"):
                self._fill(site, lock, target, work, say)
            with _only_files():
                tidy(site)
                size = self._with_bytecode(site, target, say)
                sha256 = write_zip(fresh / "tree", fresh / "layer.zip")
            (fresh / "meta.json").write_text(json.dumps({"sha256": sha256, "tree_bytes": size, "lock": lock.text}))
            fresh.rename(place)
        finally:
            remove_tree(fresh)

    def _fill(self, site: Path, lock: Lock, target: Target, work: Path, say: Say) -> None:
        """Install what has wheels while the rest is being built, then the rest."""
        lines, to_build = self._sorted(lock, work)
        site.mkdir(parents=True)
        with ThreadPoolExecutor(1) as pool:
            listed = _listed(lines, work / "install.txt")
            installing = pool.submit(self._install, site, listed, target, say)
            built = self._farm.wheels(to_build, target, work, say)
            installing.result()
        if built:
            listed = _listed([_line(wheel) for wheel in built], work / "install-built.txt")
            _succeeded(self._run(site, listed, target, say, network=False), target)

    def _sorted(self, lock: Lock, work: Path) -> tuple[list[str], tuple[Buildable, ...]]:
        """The lines of the lock that name wheels, each with its hash; and what has to be built."""
        lines: list[str] = []
        to_build: list[Buildable] = []
        for pin in lock.pins:
            path = pin.requirement.partition(" ;")[0].partition("[")[0].strip()
            if sdist := (lock.unwheeled or {}).get(pin.name or ""):
                to_build.append(Buildable(f"{sdist.name} {sdist.version}", sdist.sha256, sdist))
            elif not (one := (lock.local or {}).get(path)):
                lines.append(str(pin))
            elif one.original.suffix == ".whl":
                lines.append(_line(self._farm.adopt(one.original, one.shown, work)))
            else:
                to_build.append(Buildable(f"./{one.shown}", one.sha256, one.original))
        return lines, tuple(to_build)

    def _install(self, site: Path, listed: Path, target: Target, say: Say) -> None:
        """From uv's cache alone if that has everything: asking the index about pinned files costs seconds."""
        if not listed.stat().st_size:
            return
        said: list[str] = []
        outcome = self._run(site, listed, target, said.append, network=False)
        if outcome.ok:
            for line in said:
                say(line)
            return
        remove_tree(site)
        site.mkdir()
        _succeeded(self._run(site, listed, target, say, network=True), target)

    def _run(self, site: Path, listed: Path, target: Target, say: Say, *, network: bool) -> Outcome:
        """Nobody's code runs here, so this may share a cache."""
        arguments = (
            "pip", "install", "--quiet", "--target", str(site), "--no-deps", "--no-build", "--require-hashes",
            "--python-platform", target.platform, "--link-mode", "hardlink", "--requirements", listed.name,
            *(() if network else ("--offline",)),
        )  # fmt: skip
        return self._uv.run(
            arguments, target, say, cwd=listed.parent, readable=(self._farm.folder,),
            writable=(listed.parent, self._shared), network=network,
        )  # fmt: skip

    def _with_bytecode(self, site: Path, target: Target, say: Say) -> int:
        """Compile where there is room for it, and say how large it all is."""
        size = _check_size(site)
        if size + _bytes_of_modules(site) > MAX_BYTES - ROOM_FOR_CODE:
            say("bytecode: left out, as it would not fit")
            return size
        if not bytecode.compile_tree(self._sandbox, site, target):
            say("bytecode: left out, as the compiler failed on these modules")
        elif _total(site) > MAX_BYTES - ROOM_FOR_CODE:
            bytecode.drop(site)
            say("bytecode: left out, as it does not fit")
        return _total(site)


def _listed(lines: list[str], to: Path) -> Path:
    to.write_text("".join(f"{line}\n" for line in lines))
    return to


def _succeeded(outcome: Outcome, target: Target) -> None:
    if not outcome.ok:
        raise explain(outcome.output, None, target)


def _line(wheel: Wheel) -> str:
    return f"{wheel.path} --hash=sha256:{wheel.sha256}"


def _key(lock: Lock, target: Target) -> str:
    built = sorted(lock.unwheeled or {})
    parts = (_FORMAT, target.python, target.platform, lock.text, *built)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:40]


def _layer(place: Path) -> Layer:
    meta = json.loads((place / "meta.json").read_text())
    zip_path = place / "layer.zip"
    key = f"layers/{meta['sha256']}.zip"
    return Layer(place / "tree", zip_path, key, zip_path.stat().st_size, meta["tree_bytes"])


@contextmanager
def _only_files() -> Iterator[None]:
    try:
        yield
    except UnsafeTree as error:
        raise AppError(
            Code.DEPENDENCY_BUILD_FAILED, f"a dependency's build left more than files: {error}",
            hint="Use a release of that package that offers a wheel.",
        ) from None  # fmt: skip


def tidy(site: Path) -> None:
    """Remove what differs between two installations of the same lock, or is of no use on Lambda.

    That is bytecode, the installer's lock file and notes on where a package came from, and scripts, whose first line
    names an interpreter of this machine. Each distribution's RECORD is brought in line. Files may be hard links into
    uv's cache, so they are replaced, never written to.

    Raises:
        UnsafeTree: something in it is neither a file nor a folder, or a RECORD is none.
    """
    check_plain(site)
    (site / ".lock").unlink(missing_ok=True)
    bytecode.drop(site)
    _drop_scripts(site / "bin")
    for info in site.glob("*.dist-info"):
        for name in _OF_THIS_MACHINE:
            (info / name).unlink(missing_ok=True)
        _rewrite_record(info / "RECORD", site)


def _drop_scripts(folder: Path) -> None:
    if not folder.is_dir():
        return
    for path in [entry for entry in folder.iterdir() if entry.is_file()]:
        with path.open("rb") as file:
            script = file.read(2) == b"#!"
        if script:
            path.unlink()
    if not any(folder.iterdir()):
        folder.rmdir()


def _rewrite_record(record: Path, site: Path) -> None:
    if not record.is_file():
        return
    try:
        with record.open(newline="", encoding="utf-8") as file:
            rows = sorted(row for row in csv.reader(file) if row and (site / row[0]).exists())
    except (ValueError, csv.Error, OSError) as error:
        raise UnsafeTree(f"{record.relative_to(site)} is not a RECORD: {error}") from None
    record.unlink()
    with record.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def _check_size(site: Path) -> int:
    sizes = {entry.name: sum(_sizes(Path(entry.path))) for entry in os.scandir(site)}
    total = sum(sizes.values())
    if total > MAX_BYTES:
        largest = sorted(sizes.items(), key=lambda item: -item[1])[:_LARGEST]
        named = ", ".join(f"{name} {size / 1e6:.0f} MB" for name, size in largest)
        message = f"the dependencies are {total / 1e6:.0f} MB unzipped, Lambda takes {MAX_BYTES / 1e6:.0f} MB: {named}"
        raise AppError(Code.PACKAGE_TOO_LARGE, message, hint="Remove or replace the largest packages.")
    return total


def _total(site: Path) -> int:
    return sum(_sizes(site))


def _bytes_of_modules(site: Path) -> int:
    return sum(path.stat().st_size for path in site.rglob("*.py"))


def _sizes(path: Path) -> Iterator[int]:
    if not path.is_dir():
        yield path.lstat().st_size
        return
    for folder, _, files in os.walk(path):
        yield from (Path(folder, name).lstat().st_size for name in files)

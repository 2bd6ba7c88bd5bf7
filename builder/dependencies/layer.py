"""A lock into a dependency layer: installed, tidied until only its content is left, zipped.

The same lock gives the same bytes, so a layer is kept under its lock, and under its content in the artifacts bucket.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from auto_lambda.errors import AppError, Code
from auto_lambda.files import remove_tree
from auto_lambda.model import BuildLog
from builder.actions import Actions
from builder.dependencies import bytecode
from builder.dependencies.lock import Lock
from builder.dependencies.reuse.base_layer import BaseLayer, read_base
from builder.dependencies.sdists import Pin, Sdist
from builder.dependencies.size.quota import MAX_BYTES, check_installed, check_wheels, megabytes, too_large
from builder.dependencies.size.slim import slim
from builder.dependencies.uv import BuildTarget, Uv
from builder.dependencies.uv_errors import explain
from builder.dependencies.wheel_builder import BuildInput, Wheel, WheelBuilder
from builder.dependencies.zips import UnsafeTree, check_plain, members_of, names_in, write_zip
from builder.model import Layer
from builder.proof.elf import BINARIES, Binary, read_tree
from builder.protocol.messages import Action
from builder.sandbox.sandbox import Sandbox

ROOM_FOR_CODE = 20_000_000
"""Bytes of the quota that bytecode leaves alone."""

ZIP, META = "layer.zip", "meta.json"
_FORMAT = "4"  # raised when layers from the same lock come to hold other bytes
_UNSTEADY = frozenset({"3.10"})
"""Versions whose compiler writes other bytes for a module after other modules (70 of 947 were so; none since 3.11)."""
_OF_THIS_MACHINE = ("direct_url.json", "uv_cache.json", "uv_build.json")


class Layers:
    """Makes layers.

    Args:
        uv: installs.
        wheel_builder: builds what has no fitting wheel.
        sandbox: compiles bytecode.
        actions: make what depends on its lock alone.
    """

    def __init__(self, uv: Uv, wheel_builder: WheelBuilder, sandbox: Sandbox, actions: Actions) -> None:
        self._uv = uv
        self._wheel_builder = wheel_builder
        self._sandbox = sandbox
        self._actions = actions

    def layer(self, lock: Lock, target: BuildTarget, work: Path, log: BuildLog) -> Layer | None:
        """Return the layer of a lock, None for an empty lock.

        Raises:
            AppError: ``dependency-build-failed``, ``dependency-does-not-fit`` or ``package-too-large``.
            OurTrouble: not the uploader's fault.
        """
        if not lock.pins:
            return None
        check_wheels(lock.wheel_bytes or {})
        if lock.local:  # nobody else has these projects
            made = work / "layer"
            made.mkdir()
            self.make(lock, target, made, work, log)
            return _layer(made)
        result = self._actions.run(layer_action(lock, target), log)
        return replace(_layer(result.folder), shared=result.key)

    def make(
        self, lock: Lock, target: BuildTarget, into: Path, work: Path, log: BuildLog, base: BaseLayer | None = None
    ) -> bool:
        """Make a layer here and now: ``tree/``, ``layer.zip``, ``meta.json`` and ``binaries.json`` in a folder.

        Returns:
            Whether it was made on the base, if there is one; then ``tree/`` holds only what the base has not.
        """
        if base and target.python not in _UNSTEADY and self._make_on(base, lock, target, into, work, log):
            return True
        remove_tree(into / "tree")
        self._make_anew(lock, target, into, work, log)
        return False

    def _make_on(self, base: BaseLayer, lock: Lock, target: BuildTarget, into: Path, work: Path, log: BuildLog) -> bool:
        """Make what the base has not, and join the zips; False where that may differ from a layer made anew."""
        tree, site = into / "tree", into / "tree" / "python"
        new = tuple(pin for pin in lock.pins if pin not in base.pins)
        self._fill(site, replace(lock, pins=new), target, work, log)
        with _only_files():
            tidy(site)
            if base.before_compiling + _total(site) + _bytes_of_modules(site) > MAX_BYTES - ROOM_FOR_CODE:
                return False
            if not bytecode.compile_tree(self._sandbox, site, target) or not base.has_room_for(names_in(tree)):
                return False
            size = base.total + _total(site)
            if size > MAX_BYTES - ROOM_FOR_CODE:
                return False
            sha256 = write_zip(tree, into / ZIP, members_of(base.zip))
        log(f"layer: {len(new)} of {len(lock.pins)} packages are new, the others are taken from an earlier layer")
        facts = sorted([*json.loads(base.facts), *map(asdict, read_tree(tree))], key=lambda one: str(one["path"]))
        _describe(into, facts, sha256, size)
        return True

    def _make_anew(self, lock: Lock, target: BuildTarget, into: Path, work: Path, log: BuildLog) -> None:
        site = into / "tree" / "python"
        self._fill(site, lock, target, work, log)
        with _only_files():
            binaries = _slimmed(into / "tree", log) if lock.slim else None
            tidy(site)
            size = self._with_bytecode(site, lock, target, log)
            sha256 = write_zip(into / "tree", into / ZIP)
        facts = [asdict(one) for one in (read_tree(into / "tree") if binaries is None else binaries)]
        _describe(into, facts, sha256, size)

    def _fill(self, site: Path, lock: Lock, target: BuildTarget, work: Path, log: BuildLog) -> None:
        """Install what has wheels while the rest is being built, then the rest."""
        lines, to_build = self._sorted(lock, work)
        site.mkdir(parents=True)
        with ThreadPoolExecutor(1) as pool:
            listed = _listed(lines, work / "install.txt")
            installing = pool.submit(self._install, site, listed, target, log, network=True)
            built = self._wheel_builder.wheels(to_build, target, work, log)
            installing.result()
        if built:
            listed = _listed([_line(wheel) for wheel in built], work / "install-built.txt")
            self._install(site, listed, target, log, network=False)

    def _sorted(self, lock: Lock, work: Path) -> tuple[list[str], tuple[BuildInput, ...]]:
        """Sort the lock into lines that name wheels, each with its hash, and what has to be built."""
        lines: list[str] = []
        to_build: list[BuildInput] = []
        for pin in lock.pins:
            path = pin.requirement.partition(" ;")[0].partition("[")[0].strip()
            if sdist := (lock.unwheeled or {}).get(pin.name or ""):
                to_build.append(BuildInput(f"{sdist.name} {sdist.version}", sdist.sha256, sdist))
            elif not (one := (lock.local or {}).get(path)):
                lines.append(str(pin))
            elif one.original.suffix == ".whl":
                lines.append(_line(self._wheel_builder.adopt(one.original, one.shown, work)))
            else:
                to_build.append(BuildInput(f"./{one.shown}", one.sha256, one.original))
        return lines, tuple(to_build)

    def _install(self, site: Path, listed: Path, target: BuildTarget, log: BuildLog, *, network: bool) -> None:
        """Install files by their hashes. No code of a package runs here."""
        if not listed.stat().st_size:
            return
        arguments = (
            "pip", "install", "--quiet", "--target", str(site), "--no-deps", "--no-build", "--require-hashes",
            "--python-platform", target.platform, "--link-mode", "hardlink", "--requirements", listed.name,
            *(() if network else ("--offline",)),
        )  # fmt: skip
        # uv's cache lies beside the tree, in one mount, so that files are linked and not copied.
        folder = site.parents[1]
        with _never_too_much_disk():
            outcome = self._uv.run(
                arguments, target, log, cwd=listed.parent, readable=self._wheels(listed),
                writable=(folder, listed.parent), network=network,
            )  # fmt: skip
        if not outcome.ok:
            raise explain(outcome.output, None, target)

    @staticmethod
    def _wheels(listed: Path) -> tuple[Path, ...]:
        """Return the folders of the wheels that a list names by their paths."""
        lines = listed.read_text().splitlines()
        return tuple({Path(line.partition(" --hash=")[0]).parent for line in lines if line.startswith("/")})

    def _with_bytecode(self, site: Path, lock: Lock, target: BuildTarget, log: BuildLog) -> int:
        """Compile where there is room for it, and say how large it all is."""
        size = check_installed(site, slim=lock.slim)
        if size + _bytes_of_modules(site) > MAX_BYTES - ROOM_FOR_CODE:
            log("bytecode: left out, as it would not fit")
            return size
        if not bytecode.compile_tree(self._sandbox, site, target):
            log("bytecode: left out, as the compiler failed on these modules")
        elif _total(site) > MAX_BYTES - ROOM_FOR_CODE:
            bytecode.drop(site)
            log("bytecode: left out, as it does not fit")
        return _total(site)


def _describe(into: Path, facts: list[dict[str, Any]], sha256: str, size: int) -> None:
    (into / BINARIES).write_text(json.dumps(facts))
    (into / META).write_text(json.dumps({"sha256": sha256, "tree_bytes": size}))


def base_of(folder: Path, inputs: Mapping[str, Any]) -> BaseLayer | None:
    """Return the layer in a folder as a base for others; ``inputs`` are those of its action."""
    return read_base(folder / ZIP, folder / META, folder / BINARIES, lock_of(inputs).pins)


def _listed(lines: list[str], to: Path) -> Path:
    to.write_text("".join(f"{line}\n" for line in lines))
    return to


def _line(wheel: Wheel) -> str:
    return f"{wheel.path} --hash=sha256:{wheel.sha256}"


def layer_action(lock: Lock, target: BuildTarget) -> Action:
    """Return the action that makes the layer of a lock without local projects."""
    return Action(
        kind="layer",
        inputs={
            "format": _FORMAT,
            "pins": [[pin.requirement, list(pin.hashes)] for pin in lock.pins],
            "options": list(lock.options),
            "unwheeled": {name: asdict(sdist) for name, sdist in (lock.unwheeled or {}).items()},
            "python": target.python,
            "architecture": target.architecture,
            **({"slim": True} if lock.slim else {}),
        },
    )


def lock_of(inputs: Mapping[str, Any]) -> Lock:
    """Return the lock of an action's inputs."""
    pins = tuple(Pin(requirement, tuple(hashes)) for requirement, hashes in inputs["pins"])
    sdists = {name: Sdist(**sdist) for name, sdist in inputs["unwheeled"].items()}
    return Lock(pins, tuple(inputs["options"]), unwheeled=sdists, slim=bool(inputs.get("slim")))


def _layer(place: Path) -> Layer:
    meta = json.loads((place / META).read_text())
    zip_path = place / ZIP
    key = f"layers/{meta['sha256']}.zip"
    return Layer(place / "tree", zip_path, key, zip_path.stat().st_size, meta["tree_bytes"])


def _slimmed(tree: Path, log: BuildLog) -> tuple[Binary, ...]:
    """Leave out what is of no use; return what the audit wants to know of the binaries, read while it is all there."""
    check_plain(tree)
    binaries = read_tree(tree)
    saved = slim(tree)
    log(f"slim: {megabytes(saved.total)} are left out: {saved}")
    return tuple(one for one in binaries if (tree / one.path).exists())


@contextmanager
def _never_too_much_disk() -> Iterator[None]:
    """Tell an installation that needs more than a command may write as what it is: far too large for Lambda."""
    try:
        yield
    except AppError as error:
        if error.code != Code.TOO_MUCH_DISK:
            raise
        message = f"the dependencies are far larger than the {megabytes(MAX_BYTES)} that Lambda takes: {error.message}"
        raise too_large(message, 0, None) from None


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


def _total(site: Path) -> int:
    return sum(_sizes(site))


def _bytes_of_modules(site: Path) -> int:
    modules = (f"{folder}/{name}" for folder, _, names in os.walk(site) for name in names if name.endswith(".py"))
    return sum(os.lstat(module).st_size for module in modules)


def _sizes(path: Path) -> Iterator[int]:
    if not path.is_dir():
        yield path.lstat().st_size
        return
    for folder, _, files in os.walk(path):
        yield from (os.lstat(f"{folder}/{name}").st_size for name in files)

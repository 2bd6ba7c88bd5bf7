"""A source into a built source: find the manifest, lock it, make the layer."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from auto_lambda.errors import AppError
from auto_lambda.model import BuildLog
from builder.dependencies import manifests
from builder.dependencies.layer import Layers
from builder.dependencies.lock import Lock, Resolver, added, held_to
from builder.dependencies.manifests import Manifest
from builder.dependencies.pythons import CURABLE, NotTaken, first_line, unsuited, with_zappa_for, without_wheel
from builder.dependencies.uv import BuildTarget, target_of
from builder.dependencies.wheel_builder import COMPILING_SECONDS
from builder.model import Built, Layer, Source
from builder.source.runtime import how_to_fix


@dataclass(frozen=True, slots=True)
class _Locked:
    source: Source
    target: BuildTarget
    lock: Lock
    warnings: tuple[str, ...]


class DependencyBuilder:
    """Makes dependency layers.

    Args:
        resolver: makes locks.
        layers: makes layers of them.
        interpreters: the Pythons of this machine, by minor.
        index_hosts: host names of the configured package indexes; a manifest may name these and no others.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        resolver: Resolver,
        layers: Layers,
        interpreters: Mapping[str, Path],
        index_hosts: Collection[str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._resolver = resolver
        self._layers = layers
        self._interpreters = interpreters
        self._index_hosts = index_hosts
        self._clock = clock

    def build(
        self, source: Source, requirements: tuple[str, ...], work: Path, log: BuildLog, warn: BuildLog | None = None
    ) -> Built:
        """Resolve and install what an app depends on, for the runtime that it will run on.

        Args:
            source: the app.
            requirements: what its framework needs at run time, added where the app's manifest does not name it.
            work: an empty writable folder.
            log: is told the manifest, the lock and the installation.
            warn: is told beforehand of what takes long; by default ``log``.

        Returns:
            With the source for that of its Pythons for which the dependencies install best; ``other_pythons`` are those
            that are left to try.

        Raises:
            AppError: whatever the uploader can fix.
            OurTrouble: the package index or this machine failed; worth another try.
        """
        found = self._find_manifest(source, work, log)
        reasons: list[NotTaken] = []
        first: AppError | None = None
        ladder = self._resolved(found, source, requirements, work, log, reasons)
        started = self._clock()
        for number, one in enumerate(ladder):
            others = tuple(later.source.python for later in ladder[number + 1 :]) or one.source.other_pythons
            try:
                _tell_lock(one.lock, one.target, log)
                _tell_builds(one.lock, one.target, log, warn or log)
                layer = self._layers.layer(one.lock, one.target, _made(work / f"layer-{one.target.python}"), log)
            except AppError as error:
                late = self._clock() - started > COMPILING_SECONDS
                if late or error.code not in CURABLE or number == len(ladder) - 1:
                    raise first or error from None
                first = first or error
                log(f"dependencies: not for Python {one.source.python}: {first_line(error)}")
                reasons.append(NotTaken(one.source.python, first_line(error)))
                continue
            _tell_layer(layer, log)
            warnings = (*one.warnings, *_python_warning(one.source.python, reasons))
            return Built(replace(one.source, other_pythons=others), one.lock.text, layer, warnings)
        raise AssertionError  # the last one has returned or raised

    def _resolved(
        self, manifest: Manifest, source: Source, requirements: tuple[str, ...], work: Path, log: BuildLog,
        reasons: list[NotTaken],
    ) -> tuple[_Locked, ...]:  # fmt: skip
        """Resolve for the app's Pythons until one needs nothing built that has wheels for others; the best first."""
        pythons = _suited(manifest, (source.python, *source.other_pythons), reasons)
        first: AppError | None = None
        found: list[tuple[_Locked, tuple[str, ...]]] = []
        for number, python in enumerate(pythons):
            one = replace(source, python=python, other_pythons=pythons[number + 1 :])
            try:
                locked = self._locked_for(manifest, one, requirements, work, log)
            except AppError as error:
                if error.code not in CURABLE:
                    raise
                first = first or error
                log(f"dependencies: no solution for Python {python}")
                reasons.append(NotTaken(python, first_line(error)))
                continue
            if not (to_build := without_wheel(locked.lock)):
                reasons += [NotTaken(other.source.python, f"there is no wheel of {', '.join(names)}")
                            for other, names in found]  # fmt: skip
                return (locked, *(other for other, _ in found))
            log(f"dependencies: no wheel for Python {python} of {', '.join(to_build)}")
            found.append((locked, to_build))
        if not found:
            assert first is not None  # noqa: S101 - there is at least one Python
            raise first
        found.sort(key=lambda pair: len(pair[1]))  # stable: else the app's order
        return tuple(locked for locked, _ in found)

    def _locked_for(
        self, manifest: Manifest, source: Source, requirements: tuple[str, ...], work: Path, log: BuildLog
    ) -> _Locked:
        target = target_of(source.python, source.architecture, self._interpreters)
        place = _made(work / f"lock-{target.python}")
        missing = added(requirements, manifest)
        if missing:
            log(f"dependencies: added for {source.framework}: {', '.join(missing)}")
        ours = next((one for one in requirements if one.startswith("zappa==")), None)
        fitted, replaced = with_zappa_for(manifest, source.python, ours) if ours else (manifest, ())
        asked = manifests.with_requirements(fitted, missing)
        if kept := source.locked:
            if (kept.python, kept.architecture) == (source.python, source.architecture):
                log("dependencies: the packages of the release that is promoted")
                asked = held_to(asked, kept.text)
            else:
                told = f"Python {kept.python} on {kept.architecture}"
                log(f"dependencies: resolved anew, since the release that is promoted is for {told}")
        lock, raised = self._with_runnable_pins(asked, target, place, log)
        said = (*_warnings(manifest, missing, source), *replaced, *raised, *_bound_warnings(lock, manifest))
        lock = replace(lock, slim=source.options.package.slim)
        return _Locked(source, target, lock, (*manifest.warnings, *said))

    def _with_runnable_pins(
        self, asked: Manifest, target: BuildTarget, place: Path, log: BuildLog
    ) -> tuple[Lock, tuple[str, ...]]:
        """Lock with those pins raised that run nowhere; if that has no solution, as the app wants it."""
        raised, told = manifests.with_runnable_pins(asked)
        if told:
            try:
                return self._resolver.lock(raised, target, _made(place / "raised"), log), told
            except AppError as error:
                log(f"dependencies: no solution with newer releases: {first_line(error)}")
        return self._resolver.lock(asked, target, place, log), ()

    def _find_manifest(self, source: Source, work: Path, log: BuildLog) -> Manifest:
        target = target_of(source.python, source.architecture, self._interpreters)
        place = _made(work / "manifest")
        manifest = manifests.find(
            source.root,
            source.tree,
            self._known,
            lambda path, root, more: self._resolver.export(path, root, target, place, log, more),
            source.options,
        )
        log(f"dependencies: {manifest.shown or 'no manifest found'}")
        return manifest

    def _known(self, url: str) -> bool:
        """Tell whether an address has the host of a configured index."""
        try:
            return urlsplit(url).hostname in self._index_hosts
        except ValueError:
            return False


def _suited(manifest: Manifest, pythons: tuple[str, ...], reasons: list[NotTaken]) -> tuple[str, ...]:
    """Leave out the Pythons that the manifest itself is not for, unless that leaves none."""
    why = {python: unsuited(manifest, python) for python in pythons}
    suited = tuple(python for python in pythons if not why[python])
    if not suited:
        return pythons
    reasons += [NotTaken(python, told) for python in pythons[: pythons.index(suited[0])] if (told := why[python])]
    return suited


def _python_warning(python: str, reasons: list[NotTaken]) -> tuple[str, ...]:
    if not (others := [one for one in reasons if one.python != python]):
        return ()
    return (f"Python {python} is used, as on {others[0].python} {others[0].why}: {how_to_fix(python)}",)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _warnings(manifest: Manifest, missing: tuple[str, ...], source: Source) -> tuple[str, ...]:
    # chalice's own deployment brings chalice along in silence, so its users do not declare it.
    undeclared = [one for one in missing if one != source.framework or source.framework != "chalice"]
    where = manifest.shown or "the zip, which has no dependency manifest"
    return tuple(f"{one} is not declared in {where}: added in its newest fitting version" for one in undeclared)


def _bound_warnings(lock: Lock, manifest: Manifest) -> tuple[str, ...]:
    where = manifest.shown or "requirements.txt"
    return tuple(
        f"{one.release} does not run with what is newest: {one.need} is taken; add it to {where}"
        for one in lock.bounded
    )


def _tell_lock(lock: Lock, target: BuildTarget, log: BuildLog) -> None:
    if lock.pins:
        log(f"locked for Python {target.python}, {target.platform}:")
    for pin in replace(lock, pins=tuple(replace(pin, hashes=()) for pin in lock.pins)).text.splitlines():
        if not pin.startswith("#"):
            log(f"  {pin}")


def _tell_builds(lock: Lock, target: BuildTarget, log: BuildLog, warn: BuildLog) -> None:
    """Say beforehand what is built from source, and how long that may take; a release with wheels is native code."""
    if not (sdists := lock.unwheeled):
        return
    bound = f"all builds together may take {COMPILING_SECONDS / 60:.0f} minutes"
    named = ", ".join(f"{one.name} {one.version}" for one in sdists.values())
    log(f"from source, unless built before: {named}; {bound}")
    if native := without_wheel(lock):
        warn(
            f"no wheel of {', '.join(native)} fits Python {target.python}, so it is compiled: {bound}. A release with "
            "a wheel, or an older Python, spares that"
        )


def _tell_layer(layer: Layer | None, log: BuildLog) -> None:
    if layer is None:
        log("dependencies: none to ship")
    else:
        log(f"layer: {layer.tree_bytes / 1e6:.1f} MB, {layer.zip_bytes / 1e6:.1f} MB zipped")

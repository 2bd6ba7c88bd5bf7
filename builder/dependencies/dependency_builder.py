"""A source into a built source: find the manifest, lock it, make the layer."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from auto_lambda.errors import AppError
from auto_lambda.model import BuildLog
from builder.dependencies import manifests
from builder.dependencies.layer import Layers
from builder.dependencies.lock import Lock, Resolver, added
from builder.dependencies.manifests import Manifest
from builder.dependencies.uv import BuildTarget, target_of
from builder.dependencies.uv_errors import NotForThisPython
from builder.model import Built, Layer, Source


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
    """

    def __init__(
        self, resolver: Resolver, layers: Layers, interpreters: Mapping[str, Path], index_hosts: Collection[str]
    ) -> None:
        self._resolver = resolver
        self._layers = layers
        self._interpreters = interpreters
        self._index_hosts = index_hosts

    def build(self, source: Source, requirements: tuple[str, ...], work: Path, log: BuildLog) -> Built:
        """Resolve and install what an app depends on, for the runtime that it will run on.

        Args:
            source: the app.
            requirements: what its framework needs at run time, added where the app's manifest does not name it.
            work: an empty writable folder.
            log: is told the manifest, the lock and the installation.

        Returns:
            With the source for another Python than it came with, where only that has a solution and the app named none.

        Raises:
            AppError: whatever the uploader can fix.
            OurTrouble: the package index or this machine failed; worth another try.
        """
        found = self._locked(source, requirements, work, log)
        _tell_lock(found.lock, found.target, log)
        layer = self._layers.layer(found.lock, found.target, work, log)
        _tell_layer(layer, log)
        return Built(found.source, found.lock.text, layer, found.warnings)

    def _locked(self, source: Source, requirements: tuple[str, ...], work: Path, log: BuildLog) -> _Locked:
        try:
            return self._locked_for(source, requirements, work, log)
        except NotForThisPython as error:
            for python in source.other_pythons:
                if found := self._tried(source, python, requirements, work, log):
                    told = f"Python {python} is used, as the dependencies do not install on {source.python}: {error}"
                    log(told)
                    return replace(found, warnings=(*found.warnings, told))
            raise

    def _tried(
        self, source: Source, python: str, requirements: tuple[str, ...], work: Path, log: BuildLog
    ) -> _Locked | None:
        log(f"dependencies: no solution for Python {source.python}, trying {python}")
        try:
            return self._locked_for(replace(source, python=python), requirements, work, log)
        except AppError:
            return None

    def _locked_for(self, source: Source, requirements: tuple[str, ...], work: Path, log: BuildLog) -> _Locked:
        target = target_of(source.python, source.architecture, self._interpreters)
        place = work / f"lock-{target.python}"
        place.mkdir()
        manifest, warnings = self._manifest(source, requirements, target, place, log)
        return _Locked(source, target, self._resolver.lock(manifest, target, place, log), warnings)

    def _manifest(
        self, source: Source, requirements: tuple[str, ...], target: BuildTarget, work: Path, log: BuildLog
    ) -> tuple[Manifest, tuple[str, ...]]:
        manifest = manifests.find(
            source.root,
            source.tree,
            self._known,
            lambda path, root: self._resolver.export(path, root, target, work, log),
        )
        log(f"dependencies: {manifest.shown or 'no manifest found'}")
        missing = added(requirements, manifest)
        if missing:
            log(f"dependencies: added for {source.framework}: {', '.join(missing)}")
        return manifests.with_requirements(manifest, missing), _warnings(manifest, missing, source)

    def _known(self, url: str) -> bool:
        """Tell whether an address has the host of a configured index."""
        try:
            return urlsplit(url).hostname in self._index_hosts
        except ValueError:
            return False


def _warnings(manifest: Manifest, missing: tuple[str, ...], source: Source) -> tuple[str, ...]:
    # chalice's own deployment brings chalice along in silence, so its users do not declare it.
    undeclared = [one for one in missing if one != source.framework or source.framework != "chalice"]
    where = manifest.shown or "the zip, which has no dependency manifest"
    return tuple(f"{one} is not declared in {where}: added in its newest fitting version" for one in undeclared)


def _tell_lock(lock: Lock, target: BuildTarget, log: BuildLog) -> None:
    if lock.pins:
        log(f"locked for Python {target.python}, {target.platform}:")
    for pin in replace(lock, pins=tuple(replace(pin, hashes=()) for pin in lock.pins)).text.splitlines():
        if not pin.startswith("#"):
            log(f"  {pin}")


def _tell_layer(layer: Layer | None, log: BuildLog) -> None:
    if layer is None:
        log("dependencies: none to ship")
    else:
        log(f"layer: {layer.tree_bytes / 1e6:.1f} MB, {layer.zip_bytes / 1e6:.1f} MB zipped")

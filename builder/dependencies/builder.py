"""A source into a built source: find the manifest, lock it, make the layer."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from auto_lambda.errors import AppError
from auto_lambda.model import Say
from auto_lambda.runtimes import newest_first
from auto_lambda.tools import ToolEnvironments, interpreters
from builder.dependencies import manifests
from builder.dependencies.cache import CACHE_BYTES, Keeper
from builder.dependencies.layer import Layers
from builder.dependencies.lock import Lock, Locker, added
from builder.dependencies.manifests import Manifest
from builder.dependencies.uv import Target, Uv, index_settings, target_of
from builder.dependencies.uv_errors import NotForThisPython
from builder.dependencies.wheel_builder import Farm
from builder.dependencies.wheel_store import EmptyShelf, Shelf
from builder.index.hosts import Indexes, discover
from builder.model import Built, Layer, Source
from builder.sandbox.sandbox import Sandbox


@dataclass(frozen=True, slots=True)
class _Locked:
    source: Source
    target: Target
    lock: Lock
    warnings: tuple[str, ...]


class Builder:
    """Makes dependency layers.

    Args:
        sandbox: runs uv, whatever builds uv starts, and the tools that look at the results.
        cache: folder for what can be made again: uv's own cache, wheels, finished layers.
        environ: the worker's environment; only its index settings reach a build.
        shelf: where all workers keep the wheels that they built.
        tools: has auditwheel; by default made in the cache.
        worker: our name in the records of wheels.
        cache_bytes: what the cache may take, all in all.
    """

    def __init__(
        self, sandbox: Sandbox, cache: Path, environ: Mapping[str, str] = os.environ, *, shelf: Shelf | None = None,
        tools: ToolEnvironments | None = None, worker: str = "", cache_bytes: int = CACHE_BYTES,
    ) -> None:  # fmt: skip
        self._settings = index_settings(environ)
        shared = cache / "packages"
        building = Uv(sandbox, None, self._settings)
        tools = tools or ToolEnvironments(cache / "tools")
        farm = Farm(building, sandbox, tools, cache / "wheels", shelf or EmptyShelf(), worker=worker)
        self._locker = Locker(building, cache / "resolutions")
        self._layers = Layers(Uv(sandbox, shared / "uv", self._settings), farm, sandbox, shared)
        self._keeper = Keeper(cache, cache_bytes)

    def build(self, source: Source, requirements: tuple[str, ...], work: Path, say: Say) -> Built:
        """Resolve and install what an app depends on, for the runtime that it will run on.

        Args:
            source: the app.
            requirements: what its framework needs at run time, added where the app's manifest does not name it.
            work: an empty writable folder.
            say: is told the manifest, the lock and the installation.

        Returns:
            With the source for another Python than it came with, where only that has a solution and the app named none.

        Raises:
            AppError: whatever the uploader can fix.
            IndexTrouble: the package index or this machine failed; worth another try.
        """
        found = self._locked(source, requirements, work, say)
        _tell_lock(found.lock, found.target, say)
        self._keeper.trim()
        layer = self._layers.layer(found.lock, found.target, work, say)
        _tell_layer(layer, say)
        return Built(found.source, found.lock.text, layer, found.warnings)

    def _locked(self, source: Source, requirements: tuple[str, ...], work: Path, say: Say) -> _Locked:
        try:
            return self._locked_for(source, requirements, work, say)
        except NotForThisPython as error:
            if source.python_named:
                raise
            for python in newest_first(tuple(interpreters())):
                if python != source.python and (found := self._tried(source, python, requirements, work, say)):
                    told = f"Python {python} is used, as the dependencies do not install on {source.python}: {error}"
                    say(told)
                    return replace(found, warnings=(*found.warnings, told))
            raise

    def _tried(
        self, source: Source, python: str, requirements: tuple[str, ...], work: Path, say: Say
    ) -> _Locked | None:
        say(f"dependencies: no solution for Python {source.python}, trying {python}")
        try:
            return self._locked_for(replace(source, python=python), requirements, work, say)
        except AppError:
            return None

    def _locked_for(self, source: Source, requirements: tuple[str, ...], work: Path, say: Say) -> _Locked:
        target = target_of(source)
        place = work / f"lock-{target.python}"
        place.mkdir()
        manifest, warnings = self._manifest(source, requirements, target, place, say)
        return _Locked(source, target, self._locker.lock(manifest, target, place, say), warnings)

    def _manifest(
        self, source: Source, requirements: tuple[str, ...], target: Target, work: Path, say: Say
    ) -> tuple[Manifest, tuple[str, ...]]:
        manifest = manifests.find(
            source.root,
            source.tree,
            # Only what uv is told of counts: an index accepted but not asked would leave its packages' names to others.
            _known(lambda: discover({**self._settings, "PIP_CONFIG_FILE": os.devnull})),
            lambda path, root: self._locker.export(path, root, target, work, say),
        )
        say(f"dependencies: {manifest.shown or 'no manifest found'}")
        missing = added(requirements, manifest)
        if missing:
            say(f"dependencies: added for {source.framework}: {', '.join(missing)}")
        return manifests.with_requirements(manifest, missing), _warnings(manifest, missing, source)


def _warnings(manifest: Manifest, missing: tuple[str, ...], source: Source) -> tuple[str, ...]:
    # chalice's own deployment brings chalice along in silence, so its users do not declare it.
    undeclared = [one for one in missing if one != source.framework or source.framework != "chalice"]
    where = manifest.shown or "the zip, which has no dependency manifest"
    return tuple(f"{one} is not declared in {where}: added in its newest fitting version" for one in undeclared)


def _known(indexes: Callable[[], Indexes]) -> manifests.KnownIndex:
    """Whether an address has the host of a configured index. The configuration is only read when somebody asks."""

    def known(url: str) -> bool:
        found = indexes()
        hosts = {urlsplit(index).hostname for index in (*found.urls, *(private.base for private in found.private))}
        try:
            return urlsplit(url).hostname in hosts
        except ValueError:
            return False

    return known


def _tell_lock(lock: Lock, target: Target, say: Say) -> None:
    if lock.pins:
        say(f"locked for Python {target.python}, {target.platform}:")
    for pin in replace(lock, pins=tuple(replace(pin, hashes=()) for pin in lock.pins)).text.splitlines():
        if not pin.startswith("#"):
            say(f"  {pin}")


def _tell_layer(layer: Layer | None, say: Say) -> None:
    if layer is None:
        say("dependencies: none to ship")
    else:
        say(f"layer: {layer.tree_bytes / 1e6:.1f} MB, {layer.zip_bytes / 1e6:.1f} MB zipped")

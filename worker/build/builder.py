"""A source into a built source: find the manifest, lock it, make the layer."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from worker.build import manifests
from worker.build.indexes import Indexes, discover
from worker.build.layer import Layers
from worker.build.lock import Lock, Locker, added
from worker.build.manifests import Manifest
from worker.build.sandbox import Sandbox
from worker.build.uv import Target, Uv, index_settings, target_of
from worker.model import Built, Layer, Say, Source


class Builder:
    """Makes dependency layers.

    Args:
        sandbox: runs uv, and whatever builds uv starts.
        cache: folder for what can be made again: uv's own cache and finished layers.
        environ: the worker's environment; only its index settings reach a build.
    """

    def __init__(self, sandbox: Sandbox, cache: Path, environ: Mapping[str, str] = os.environ) -> None:
        self._settings = index_settings(environ)
        uv = Uv(sandbox, cache / "uv", self._settings)
        self._locker = Locker(uv, cache / "resolutions")
        self._layers = Layers(uv, cache / "layers")

    def build(self, source: Source, requirements: tuple[str, ...], work: Path, say: Say) -> Built:
        """Resolve and install what an app depends on, for the runtime that it will run on.

        Args:
            source: the app.
            requirements: what its framework needs at run time, added where the app's manifest does not name it.
            work: an empty writable folder.
            say: is told the manifest, the lock and the installation.

        Raises:
            AppError: whatever the uploader can fix.
            IndexTrouble: the package index or this machine failed; worth another try.
        """
        target = target_of(source)
        manifest, warnings = self._manifest(source, requirements, target, work, say)
        lock = self._locker.lock(manifest, target, work, say)
        _tell_lock(lock, target, say)
        layer = self._layers.layer(lock, target, work, say)
        _tell_layer(layer, say)
        return Built(source, lock.text, layer, warnings)

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

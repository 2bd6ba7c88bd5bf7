"""Results of actions, kept on this machine for whoever asks for the same again.

Only the worker writes here, and each result comes from a builder that has seen nothing but the inputs that its key
names: no upload can put anything there that another one uses.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auto_lambda.files import remove_tree
from auto_lambda.tools import exclusive
from builder.protocol import tree_files
from builder.protocol.channel import BadMessage
from builder.protocol.files import copy_checked, describe
from builder.protocol.messages import Action, ActionKind, File
from worker.builds.base_layers import candidates, link_tree
from worker.builds.wheel_store import Record, Spoiled, WheelStore, checked, key_of, verify

RESOLVED_SECONDS = 600.0
"""How long a resolution is taken again, as package indexes let their pages be cached."""

_MEGABYTE = 1024 * 1024
_HASHED_BYTES = 16 * _MEGABYTE  # of larger files the size has to do: hashing them takes longer than a warm build may
_NOT_KEPT = (tree_files.INDEX, tree_files.CONTENT)  # there is the tree instead
_FILES = "files.json"
_INPUTS = "inputs.json"  # of a layer, on which others may be made
_RECORD = "record.json"
_WANTED: Mapping[ActionKind, Mapping[str, int]] = {
    "check": {"check.json": 1},
    "resolve": {"resolution.json": 32},
    "expand": {"expanded.json": 16},
    "layer": {"layer.zip": 300, "meta.json": 1, "binaries.json": 16, tree_files.INDEX: 64, tree_files.CONTENT: 400},
    "wheel": {_RECORD: 1},
}
"""The files of each kind of result, with the megabytes that each may have. A wheel's own name is in its record."""


@dataclass(frozen=True, slots=True)
class Cached:
    """A result on this machine. ``files`` are by name; ``folder`` may be read, never written to."""

    folder: Path
    key: str
    files: Mapping[str, File]
    new: bool = False


@dataclass(frozen=True, slots=True)
class Received:
    """The files of a result as they came from a builder: descriptions and descriptors.

    With ``base``, a layer's folder, their tree has only what that one's tree has not.
    """

    files: Sequence[File]
    descriptors: Sequence[int]
    base: Path | None = None


Perform = Callable[[Action], Received]
"""Has an action performed by a fresh builder; whoever calls it closes the descriptors."""


class ActionCache:
    """Keeps results.

    Args:
        folder: where; made when missing, readable for builders.
        wheels: where all workers keep the wheels that were built.
        worker: our name in the records of wheels.
        clock: seconds since the epoch.
    """

    def __init__(
        self, folder: Path, wheels: WheelStore, worker: str = "", clock: Callable[[], float] = time.time
    ) -> None:
        self.folder = folder
        self._wheels = wheels
        self._worker = worker
        self._clock = clock
        for kind in _WANTED:
            (folder / kind).mkdir(parents=True, exist_ok=True)
            (folder / kind).chmod(0o755)
        folder.chmod(0o755)

    def result(
        self,
        action: Action,
        perform: Perform,
        say: Callable[[str], None],
        check: Callable[[], None] = lambda: None,
    ) -> Cached:
        """Return the result of an action, performed now if nobody has it.

        Safe with other threads and processes on the same folder: one has it performed, the others wait.

        Args:
            action: what is asked for.
            perform: performs it.
            say: takes lines for the uploader's log.
            check: raises when the result is not wanted any more; called while another has it performed.

        Raises:
            BadMessage: the builder's result is not what the action asks for.
            Exception: whatever ``perform`` raises.
        """
        key = _key(action)
        place = self.folder / action.kind / key
        with exclusive(place.with_suffix(".making"), check):
            if kept := self._kept(place, action, key):
                return kept
            fresh = place.with_suffix(".new")
            remove_tree(fresh)
            fresh.mkdir()
            try:
                files = self._stored_wheel(action, key, fresh, say) or self._performed(action, key, fresh, perform)
                _write(fresh / _FILES, [one.model_dump() for one in files.values()])
                _make_readable(fresh)
                os.utime(fresh, (self._clock(), self._clock()))
                remove_tree(place)
                fresh.rename(place)
            finally:
                remove_tree(fresh)
        return Cached(place, key, files, new=True)

    def base(self, action: Action) -> tuple[Path, Mapping[str, Any]] | None:
        """Return folder and inputs of the largest layer that has some of a layer's packages, and no others."""
        if action.kind != "layer":
            return None
        for inputs in candidates(self.folder.glob(f"layer/*/{_INPUTS}"), action.inputs):
            smaller = Action(kind="layer", inputs=dict(inputs))
            if kept := self._kept(self.folder / "layer" / smaller.key, smaller, smaller.key):
                return kept.folder, inputs
        return None

    def _kept(self, place: Path, action: Action, key: str) -> Cached | None:
        try:
            age = self._clock() - place.stat().st_mtime
            files = [File.model_validate(one) for one in json.loads((place / _FILES).read_bytes())]
            if action.kind == "wheel":
                _read_wheel(place, key)
            sound = all(_is_sound(place / one.name, one) for one in files if one.name not in _NOT_KEPT)
        except (OSError, ValueError, Spoiled):
            return None
        if not files or not sound or (action.kind == "resolve" and not 0 <= age < RESOLVED_SECONDS):
            return None
        if action.kind != "resolve":
            os.utime(place)  # what was used last is evicted last
        return Cached(place, key, {one.name: one for one in files})

    def _performed(self, action: Action, key: str, into: Path, perform: Perform) -> dict[str, File]:
        received = perform(action)
        try:
            files = _copied(action.kind, received, into)
        finally:
            for descriptor in received.descriptors:
                os.close(descriptor)
        if action.kind == "layer":
            _write(into / _INPUTS, action.inputs)
        return self._offered(key, into) if action.kind == "wheel" else files

    def _stored_wheel(self, action: Action, key: str, into: Path, say: Callable[[str], None]) -> dict[str, File] | None:
        if action.kind != "wheel":
            return None
        source = action.inputs["sdist"]
        shown = f"{source.get('name')} {source.get('version')}"[:200]
        try:
            record = self._wheels.fetch(key, into)
        except Spoiled as error:
            say(f"{shown}: the wheel that was stored is spoiled ({error}): built anew")
            remove_tree(into)
            into.mkdir()
            return None
        if record is None:
            return None
        say(f"{shown}: built before by {record.get('worker') or 'a worker'}")
        _write(into / _RECORD, record)
        return _described(into, (record["wheel"]["file"], _RECORD))

    def _offered(self, key: str, into: Path) -> dict[str, File]:
        """Offer a wheel to all workers, then take what is stored: another worker's, where that one was quicker."""
        try:
            record: Record = {**_read_wheel(into, key), "worker": self._worker}
        except (OSError, Spoiled) as error:
            raise BadMessage(f"no wheel with its record: {error}") from None
        self._wheels.store(key, record, into / record["wheel"]["file"])
        stored = into / "stored"
        stored.mkdir()
        if kept := self._stored(key, stored):
            (into / record["wheel"]["file"]).unlink()
            record = kept
            (stored / record["wheel"]["file"]).rename(into / record["wheel"]["file"])
        remove_tree(stored)
        _write(into / _RECORD, record)
        return _described(into, (record["wheel"]["file"], _RECORD))

    def _stored(self, key: str, into: Path) -> Record | None:
        """Return the record of the wheel that is stored; None where it is spoiled, as ours is not."""
        try:
            return self._wheels.fetch(key, into)
        except Spoiled:
            return None


def _key(action: Action) -> str:
    """Return the key; a wheel's is made of what decides its build, as its other inputs only say where the source is."""
    if action.kind != "wheel":
        return action.key
    try:
        parts, source = action.inputs["key"], action.inputs["sdist"]["sha256"]
        if parts["source"] != source:
            raise BadMessage("the key of a wheel does not follow from its source")
        return key_of(parts)
    except (KeyError, TypeError):
        raise BadMessage("no inputs of a wheel") from None


def _copied(kind: ActionKind, received: Received, into: Path) -> dict[str, File]:
    """Copy the files of a result, and make its tree anew."""
    wanted = dict(_WANTED[kind])
    names = [file.name for file in received.files]
    if kind == "wheel":
        wanted |= {name: 512 for name in names if name.endswith(".whl")}
    if sorted(names) != sorted(wanted) or (kind == "wheel" and len(names) != 2):
        raise BadMessage(f"another set of files than a {kind} has: {', '.join(names)[:200]}")
    for file, descriptor in zip(received.files, received.descriptors, strict=True):
        if file.name != tree_files.CONTENT:
            copy_checked(descriptor, file, into / file.name, wanted[file.name] * _MEGABYTE)
        elif file.size > wanted[file.name] * _MEGABYTE:
            raise BadMessage(f"{file.name} is too large")
    if kind == "layer":
        _make_tree(received, into)
    return {file.name: file for file in received.files}


def _make_tree(received: Received, into: Path) -> None:
    content = next(
        at for file, at in zip(received.files, received.descriptors, strict=True) if file.name == tree_files.CONTENT
    )
    index = into / tree_files.INDEX
    try:
        tree_files.read_tree(index.read_bytes(), content, into / "tree")
        if received.base:
            link_tree(received.base / "tree", into / "tree")
    except tree_files.BadTree as error:
        raise BadMessage(f"no tree: {error}") from None
    index.unlink()


def _read_wheel(folder: Path, key: str) -> Record:
    """Return the record of a folder's wheel.

    Raises:
        OSError: one of them is not there.
        Spoiled: the record is of another key, or the wheel is not the record's.
    """
    record = checked((folder / _RECORD).read_bytes(), key)
    verify(folder / record["wheel"]["file"], record)
    return record


def _is_sound(path: Path, file: File) -> bool:
    """Tell whether a file of ours is still what it was; a disk that was full, say, may have cut it off."""
    if path.stat().st_size != file.size:
        return False
    return file.size > _HASHED_BYTES or hashlib.sha256(path.read_bytes()).hexdigest() == file.sha256


def _described(folder: Path, names: Sequence[str]) -> dict[str, File]:
    with ExitStack() as opened:
        return {name: describe(folder / name, name, opened)[0] for name in names}


def _write(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content))


def _make_readable(folder: Path) -> None:
    """Let builders, who are other users, read a result, whatever this process's umask is."""
    folder.chmod(0o755)
    for path in folder.iterdir():
        path.chmod(0o755 if path.is_dir() else 0o644)

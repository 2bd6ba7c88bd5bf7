"""Fetches code and layers from the artifacts bucket, verifies them, and unpacks them to where Lambda has them."""

from __future__ import annotations

import fcntl
import hashlib
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any, Protocol

from entrypoint.failures import CannotServe, ExitStatus
from entrypoint.place import Folders
from entrypoint.task import Artefact, TaskDescription

_CHUNK = 1 << 20
_MARKS = ".auto-lambda"  # what is unpacked already, so that tasks that share a root do it once


class Bucket(Protocol):
    """The way to the objects: boto3's client for S3."""

    def get_object(self, *, Bucket: str, Key: str) -> Any:  # noqa: N803
        """Return an object, its content in ``Body``."""


def provide(bucket: Bucket, task: TaskDescription, folders: Folders) -> None:
    """Have the task's code and layers in their folders.

    Raises:
        CannotServe: an artefact is missing, differs from its digest, or cannot be unpacked.
    """
    marks = folders.root / _MARKS
    try:
        marks.mkdir(parents=True, exist_ok=True)
        with _alone(marks / "lock"):
            _have(bucket, task.bucket, [task.code], folders.task, marks / "task")
            _have(bucket, task.bucket, task.layers, folders.opt, marks / "opt")
    except OSError as error:
        raise CannotServe(
            ExitStatus.CANNOT_UNPACK, f"the app cannot be unpacked below {folders.root}: {error}"
        ) from error


def _have(bucket: Bucket, name: str, artefacts: Sequence[Artefact], folder: Path, mark: Path) -> None:
    wanted = "\n".join(one.sha256 for one in artefacts)
    if mark.exists():
        if mark.read_text() == wanted:
            return
        raise CannotServe(ExitStatus.CANNOT_UNPACK, f"{folder} holds another revision, or what is left of one")
    mark.write_text("unfinished")
    folder.mkdir(parents=True, exist_ok=True)
    for one in artefacts:
        with tempfile.TemporaryFile() as file:
            _fetch(bucket, name, one, file)
            unpack(file, folder, one.key)
    mark.write_text(wanted)


def _fetch(bucket: Bucket, name: str, artefact: Artefact, file: IO[bytes]) -> None:
    digest = hashlib.sha256()
    try:
        body = bucket.get_object(Bucket=name, Key=artefact.key)["Body"]
        while chunk := body.read(_CHUNK):
            digest.update(chunk)
            file.write(chunk)
    except Exception as error:  # boto3's classes are not known here
        place = f"s3://{name}/{artefact.key}"
        told = f"{place} cannot be read: {error}. It is missing, or the task's role may not read it"
        raise CannotServe(ExitStatus.ARTEFACT_MISSING, told) from error
    if digest.hexdigest() != artefact.sha256:
        told = f"s3://{name}/{artefact.key} has SHA-256 {digest.hexdigest()}, not {artefact.sha256}: it is not run"
        raise CannotServe(ExitStatus.ARTEFACT_DIFFERS, told)


def unpack(file: IO[bytes], folder: Path, name: str) -> None:
    """Unpack a zip of plain files and folders, as which the pipeline makes them.

    Raises:
        CannotServe: it holds anything else, or is no zip.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            for member in archive.infolist():
                _member(archive, member, folder)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError) as error:
        raise CannotServe(ExitStatus.CANNOT_UNPACK, f"{name} cannot be unpacked: {error}") from error


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path) -> None:
    path, mode = PurePosixPath(member.filename), member.external_attr >> 16
    if path.is_absolute() or ".." in path.parts:
        raise ValueError(f"{member.filename} leads out of its folder")
    if (mode & 0o170000) not in (0, 0o100000, 0o040000):
        raise ValueError(f"{member.filename} is neither a file nor a folder")
    written = Path(archive.extract(member, folder))
    if mode & 0o111 and not member.is_dir():
        written.chmod(0o755)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield

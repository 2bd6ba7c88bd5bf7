"""Real projects out of the package index's source distributions: which, and how each becomes a zip.

`tests/corpus/projects.toml` has a table for each. Nothing of them lies in this repository: pip fetches each
distribution from the index that it is configured for, and checks its hash.
"""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import tarfile
import textwrap
import tomllib
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any, cast

_BLOCK = re.compile(r"(?ms)^[ \t]*```[^\n]*\n(.*?)^[ \t]*```|^\.\. code(?:-block)?::[^\n]*\n\n((?:[ \t][^\n]*\n|\n)+)")
_ZAPPA_INIT = {
    "aws_region": "us-east-1",
    "exclude": ["boto3", "dateutil", "botocore", "s3transfer", "concurrent"],
    "profile_name": "default",
    "runtime": "python3.13",
    "s3_bucket": "zappa-4f2k9x7qd",
}
MANIFEST = Path(__file__).parents[1] / "corpus" / "projects.toml"


@dataclass(frozen=True, slots=True)
class Sdist:
    """A source distribution: ``name==version``, the hash of its file, and its licence's SPDX identifier."""

    release: str
    sha256: str
    licence: str


@dataclass(frozen=True, slots=True)
class Project:
    """One project.

    Attributes:
        name: the name of its deployment.
        kind: what it is: ``chalice``, ``zappa``, ``flask``, ...
        sdist: the distribution that it lies in.
        take: what its zip holds: paths in the distribution by those in the zip; ``page#2`` is the second block of
            code on a page. The whole distribution by default.
        leave: patterns of files that do not belong to it.
        fill: the placeholders of a template, with what its tool's user would answer.
        requires: what its readme tells to install, where it has no manifest of its own.
        chalice: its name, where ``chalice new-project`` has still to write the settings.
        zappa: what its user answers to ``zappa init``, which writes the other settings.
        files: other files that its tools write.
        environment: what its author answers where a hint asks for a variable.
        buckets: that have to exist.
        runs: whether it can run on Lambda at all.
        expect: ``live``, or the code of the error that it ends with as dropped.
        words: that message and hint of that error have to hold.
        why: what stops it, if anything does.
        path: that is asked for once it is live.
        answer: that the answer has to hold.
    """

    name: str
    kind: str
    sdist: Sdist
    take: Mapping[str, str] = field(default_factory=lambda: {".": "."})
    leave: tuple[str, ...] = ()
    fill: Mapping[str, str] = field(default_factory=dict)
    requires: tuple[str, ...] = ()
    chalice: str = ""
    zappa: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    buckets: tuple[str, ...] = ()
    runs: bool = True
    expect: str = "live"
    words: tuple[str, ...] = ()
    why: str = ""
    path: str = ""
    answer: str = ""


def projects(manifest: str | None = None) -> Iterator[Project]:
    """Yield all of them."""
    tables = tomllib.loads(MANIFEST.read_text() if manifest is None else manifest)
    sdists = {name: Sdist(**table) for name, table in tables.pop("sdists").items()}
    for name, table in tables.items():
        listed = {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}
        yield Project(name, **cast(Any, listed | {"sdist": sdists[table["sdist"]]}))


def fetched(sdist: Sdist, folder: Path) -> Path:
    """Return a source distribution's file, which pip lays into a folder unless it is there."""
    target = folder / sdist.sha256
    if not _files(target):
        target.mkdir(parents=True, exist_ok=True)
        (target / "wanted.txt").write_text(f"{sdist.release} --hash=sha256:{sdist.sha256}\n")
        _pip("download", "--no-deps", "--no-binary", ":all:", "--dest", target, "-r", target / "wanted.txt")
    (found,) = _files(target)
    return found


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.glob("*") if path.name.endswith((".tar.gz", ".zip", ".tar.bz2"))]


def _pip(*arguments: str | Path) -> None:
    command = [sys.executable, "-m", "pip", "-qq", "--disable-pip-version-check", *arguments]
    subprocess.run(command, check=True, timeout=300)


def assembled(project: Project, sdist: bytes) -> dict[str, bytes]:
    """Return the files of a project's zip, by name."""
    members = {PurePosixPath(*PurePosixPath(name).parts[1:]): content for name, content in _members(sdist)}
    files: dict[str, bytes] = {}
    for name, place in project.take.items():
        files |= {str(PurePosixPath(name) / path): content for path, content in _taken(members, place, project).items()}
    kept = {name: content for name, content in files.items() if not _matches(name, project.leave)}
    filled = {_filled(name, project.fill): _filled(content, project.fill) for name, content in kept.items()}
    return filled | {name: text.encode() for name, text in _written(project).items()}


def _written(project: Project) -> dict[str, str]:
    """What its user and its tools add to what the distribution holds."""
    files = dict(project.files)
    if project.requires:
        files["requirements.txt"] = "".join(f"{one}\n" for one in project.requires)
    if project.chalice:
        stages = {"dev": {"api_gateway_stage": "api"}}
        files[".chalice/config.json"] = json.dumps({"version": "2.0", "app_name": project.chalice, "stages": stages})
    if project.zappa:
        files["zappa_settings.json"] = json.dumps(
            {"dev": {**_ZAPPA_INIT, "project_name": project.name, **project.zappa}}
        )
    return files


def _taken(members: Mapping[PurePosixPath, bytes], place: str, project: Project) -> Mapping[PurePosixPath, bytes]:
    page, mark, number = place.partition("#")
    root = PurePosixPath(page)
    found = {path.relative_to(root): content for path, content in members.items() if path.is_relative_to(root)}
    if not found:
        raise ValueError(f"{project.name}: {project.sdist.release} has no {page}")
    return {PurePosixPath(): _code(found[PurePosixPath()].decode(), int(number))} if mark else found


def _code(page: str, number: int) -> bytes:
    blocks = [textwrap.dedent((match[1] or match[2]).expandtabs()) for match in _BLOCK.finditer(page)]
    return blocks[number - 1].encode()


def _members(sdist: bytes) -> Iterator[tuple[str, bytes]]:
    stream = io.BytesIO(sdist)
    if zipfile.is_zipfile(stream):
        with zipfile.ZipFile(stream) as archive:
            yield from ((one.filename, archive.read(one)) for one in archive.infolist() if not one.is_dir())
        return
    stream.seek(0)
    with tarfile.open(fileobj=stream) as tar:
        for one in tar:
            if one.isfile() and (file := tar.extractfile(one)):
                yield one.name, file.read()


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _filled(text: Any, fill: Mapping[str, str]) -> Any:
    for placeholder, value in fill.items():
        text = text.replace(*(part.encode() if isinstance(text, bytes) else part for part in (placeholder, value)))
    return text

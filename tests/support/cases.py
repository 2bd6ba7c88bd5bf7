"""Apps that once failed, from public bug reports and real projects, each with what has to come of it.

`tests/cases` has a file for each kind. A case is a table: how it ends (``expect``: ``live`` or an error's code), what
its receipt or its answer must hold, how its zip is made, and its files.
"""

from __future__ import annotations

import io
import os
import secrets
import stat
import subprocess
import tomllib
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

FOLDER = Path(__file__).parents[1] / "cases"
UV = Path(__file__).parents[2] / ".venv" / "bin" / "uv"


@dataclass(frozen=True, slots=True)
class Case:
    """One app.

    Attributes:
        name: kind and name.
        expect: ``live``, or the error's code.
        files: by their paths in the zip.
        before: files of a version that is dropped before.
        python: that it has to run on.
        words: that message, hint and warnings have to hold.
        lock: lines of what is installed.
        path: that is asked for.
        answer: that the answer has to hold.
        deploy: only a deployment decides it.
        waits: what it still waits for.
        unless: a command; where it succeeds, this machine has what the case misses.
        uv_lock: ``uv lock`` is run first.
        buckets, queues: that have to exist.
        executable: files with that bit.
        links: symbolic links in the zip.
        random: files of that many bytes that cannot be compressed.
        zip_of: the zip holds another one by this name.
    """

    name: str
    expect: str
    files: Mapping[str, str]
    before: Mapping[str, str] = field(default_factory=dict)
    python: str | None = None
    words: tuple[str, ...] = ()
    lock: tuple[str, ...] = ()
    path: str = ""
    answer: str = ""
    deploy: bool = False
    waits: str = ""
    unless: str = "false"
    uv_lock: bool = False
    buckets: tuple[str, ...] = ()
    queues: tuple[str, ...] = ()
    executable: tuple[str, ...] = ()
    links: Mapping[str, str] = field(default_factory=dict)
    random: Mapping[str, int] = field(default_factory=dict)
    zip_of: str = ""

    @property
    def app(self) -> str:
        """A name for its deployment."""
        kind, _, name = self.name.partition("/")
        return f"{kind.partition('-')[0]}-{name}"[:38].rstrip("-")

    def absent(self) -> bool:
        """Whether this machine lacks what the case wants to be missing."""
        return subprocess.run(self.unless, shell=True, check=False, capture_output=True).returncode != 0

    def lacks(self, told: str) -> list[str]:
        """Return the words that are not in a text."""
        return [one for one in self.words if one not in told]


def cases() -> Iterator[Case]:
    """Yield all of them."""
    for path in sorted(FOLDER.glob("*.toml")):
        for name, table in tomllib.loads(path.read_text()).items():
            listed = {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}
            yield Case(f"{path.stem}/{name}", **cast(Any, listed))


def zipped(case: Case, folder: Path, files: Mapping[str, str] | None = None) -> bytes:
    """Return the zip as its uploader would make it; ``folder`` is an empty one to work in."""
    for name, text in (case.files if files is None else files).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    if case.uv_lock:
        environ = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
        subprocess.run([UV, "lock", "--quiet"], cwd=folder, check=True, env=environ)
    for name in case.executable:
        (folder / name).chmod(0o755)
    content = _zip_of(case, folder)
    return _zip({case.zip_of: content}) if case.zip_of else content


def _zip_of(case: Case, folder: Path) -> bytes:
    plain = {path: path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*")) if path.is_file()}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, name in plain.items():
            archive.write(path, name)
        for name, size in case.random.items():
            archive.writestr(name, secrets.token_bytes(size))
        for name, target in case.links.items():
            link = zipfile.ZipInfo(name)
            link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
            archive.writestr(link, target)
    return buffer.getvalue()


def _zip(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()

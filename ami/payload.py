"""The archive for the build instance, made from a clone of the repository."""

from __future__ import annotations

import json
import shutil
import tarfile
from dataclasses import asdict, dataclass
from pathlib import Path

from ami.problems import NotStarted
from ami.wheel import git, make_wheel
from auto_lambda import __version__


@dataclass(frozen=True, slots=True)
class Origin:
    """What an image is built from. ``commit`` ends in ``-dirty`` if there are uncommitted changes, also included."""

    version: str
    commit: str
    base_image: str
    base_name: str
    architecture: str


def root() -> Path:
    """Return the clone that this code is in.

    Raises:
        NotStarted: the package was installed without its sources.
    """
    folder = Path(__file__).resolve().parents[1]
    if not (folder / "ami" / "image.pkr.hcl").is_file() or not (folder / ".git").exists():
        raise NotStarted("images are built from a clone of the repository; this auto-lambda was installed without one")
    return folder


def commit_of(clone: Path) -> str:
    """Return the current commit, with ``-dirty`` if files were changed since."""
    commit = git(clone, "rev-parse", "--short=12", "HEAD").strip()
    return f"{commit}-dirty" if git(clone, "status", "--porcelain").strip() else commit


def make(clone: Path, origin: Origin, folder: Path) -> Path:
    """Create the archive in ``folder``.

    Raises:
        NotStarted: our wheel could not be built.
    """
    tree = folder / "payload"
    ami = clone / "ami"
    shutil.copytree(ami / "provision", tree / "provision")
    shutil.copytree(ami / "rootfs", tree / "rootfs")
    shutil.copytree(clone / "systemd", tree / "units", ignore=shutil.ignore_patterns("*.md"))
    shutil.copy(ami / "packages.tsv", tree)
    shutil.copy(clone / "auto_lambda" / "locks" / "installation.txt", tree)
    (tree / "payload.json").write_text(json.dumps(asdict(origin), indent=2) + "\n")
    make_wheel(clone, tree / "wheel")
    archive = folder / "payload.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(tree, arcname=".")
    return archive


def origin_of(clone: Path, base_image: str, base_name: str, architecture: str) -> Origin:
    """Return the origin of an image that is built from this clone."""
    return Origin(__version__, commit_of(clone), base_image, base_name, architecture)

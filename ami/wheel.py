"""Our own wheel, made from a clone: the same commit gives the same bytes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from ami.problems import NotStarted
from auto_lambda.tools import uv_executable


def make_wheel(clone: Path, into: Path) -> Path:
    """Make the wheel from the files that git does not ignore, as they are now: nothing of an earlier build slips in.

    Times and modes of files don't depend on the clone: ``SOURCE_DATE_EPOCH`` counts, or else the time of the commit.

    Raises:
        NotStarted: with what the build said.
    """
    epoch = os.environ.get("SOURCE_DATE_EPOCH") or git(clone, "log", "-1", "--format=%ct").strip()
    with tempfile.TemporaryDirectory(prefix="auto-lambda-wheel-") as scratch:
        sources, made = Path(scratch, "sources"), Path(scratch, "made")
        _copy_sources(clone, sources)
        done = subprocess.run(
            [uv_executable(), "build", "--quiet", "--wheel", "--require-hashes", "--build-constraints",
             str(sources / "auto_lambda" / "locks" / "build.txt"), "--out-dir", str(made), str(sources)],
            env={**os.environ, "SOURCE_DATE_EPOCH": epoch}, umask=0o022, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise NotStarted(f"our own wheel could not be made:\n{done.stderr.strip()}")
        into.mkdir(parents=True, exist_ok=True)
        return Path(shutil.copy(next(made.glob("*.whl")), into))


def git(clone: Path, *arguments: str) -> str:
    """Run git in the clone and return its output.

    Raises:
        NotStarted: with what git said.
    """
    done = subprocess.run(["git", *arguments], cwd=clone, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotStarted(f"git {arguments[0]} failed in {clone}: {done.stderr.strip()}")
    return done.stdout


def _copy_sources(clone: Path, target: Path) -> None:
    for name in git(clone, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0"):
        source = clone / name
        if name and source.is_file():
            copy = target / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, copy)
            copy.chmod(0o755 if source.stat().st_mode & 0o100 else 0o644)


if __name__ == "__main__":
    print(make_wheel(Path.cwd(), Path(sys.argv[1])))  # noqa: T201

"""Copy those files of a chalice project that become the code zip, by chalice's own rule and without dependencies."""

from __future__ import annotations

from pathlib import Path

from auto_lambda.errors import AppError, Code
from builder.frameworks.files import copy_file, is_plain, plain_files

PACKAGED = "app.py, chalicelib/ and vendor/"
"""In words; the content of ``vendor/`` goes to the top."""


def copy_code(root: Path, to: Path) -> Path:
    """Copy what chalice packages, without links, devices and compiled files.

    Returns:
        ``to``, which is made here.

    Raises:
        AppError: ``compile-failed`` without an ``app.py``.
    """
    if not is_plain(root / "app.py"):
        raise AppError(
            Code.COMPILE_FAILED,
            "there is no app.py beside .chalice/",
            hint="chalice looks for the app in app.py of the project's folder: put it there.",
        )
    to.mkdir()
    # vendor/ first: where it repeats a file, the app's own is what its author edits.
    for folder, place in ((root / "vendor", to), (root / "chalicelib", to / "chalicelib")):
        for path in plain_files(folder):
            copy_file(path, place / path.relative_to(folder))
    copy_file(root / "app.py", to / "app.py")
    return to

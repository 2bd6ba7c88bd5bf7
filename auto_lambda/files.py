"""Files and folders: removed whatever is in them, written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

from auto_lambda.processes import programs


def remove_tree(folder: Path) -> None:
    """Remove a folder that untrusted code wrote to, or replaced; also without permissions. Follows no links.

    Trees too deep for a path or for recursion are left to the system's own tools, which know no depth.
    """
    if folder.is_symlink() or folder.is_file():
        folder.unlink(missing_ok=True)
        return
    with contextlib.suppress(RecursionError):
        shutil.rmtree(folder, ignore_errors=True)
    if os.path.lexists(folder):
        for tool in (("chmod", "--recursive", "u+rwx"), ("rm", "--recursive", "--force", "--one-file-system")):
            programs.run([*tool, "--", str(folder)])

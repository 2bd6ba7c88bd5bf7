"""Lambda's own runtime for Python, which the base image has."""

from __future__ import annotations

import os
import sys

from entrypoint.place import Folders


def runtime_command(folders: Folders, handler: str) -> list[str]:
    """Return the command that runs it: the image's own or, where there is none, the same client from a package."""
    own = folders.runtime / "bootstrap"
    return [str(own)] if os.access(own, os.X_OK) else [sys.executable, "-m", "awslambdaric", handler]

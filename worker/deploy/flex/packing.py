"""Write the program of tasks: the package ``entrypoint`` of this installation, with what it is locked to."""

from __future__ import annotations

import sys
from pathlib import Path

from auto_lambda.tools import ToolEnvironments, Tools, interpreters
from entrypoint.packing import pack

_ENVIRONMENT = "entrypoint"


def pack_entrypoint(folder: Path, tools: Tools | None = None) -> Path:
    """Write the program into a folder, equal byte by byte for equal sources, and return its zip.

    Args:
        folder: which is there.
        tools: hands out the environment with the packages; this user's by default.

    Raises:
        auto_lambda.tools.ToolError: the environment could not be created.
    """
    own = "{}.{}".format(*sys.version_info)
    minor = own if own in interpreters() else next(iter(interpreters()), own)  # all give the same bytes
    python = (tools or ToolEnvironments()).python(_ENVIRONMENT, minor)
    path = folder / "entrypoint.zip"
    path.write_bytes(pack(python.parent.parent / "lib" / f"python{minor}" / "site-packages").content)
    return path

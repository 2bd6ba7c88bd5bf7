"""Runs on the build instance: creates every tool environment for every interpreter, so that no worker has to."""

from __future__ import annotations

import sys
from pathlib import Path

from auto_lambda.tools import LOCKS, ToolEnvironments, interpreters

# Not needed by a worker: the AWS emulator, the template checker, and the lock of Auto-Lambda itself.
_NOT_HERE = ("embedded-aws", "installation", "policy")


def main() -> int:
    """Run ``python -m ami.bake FOLDER``."""
    tools = ToolEnvironments(Path(sys.argv[1]), baked=None)
    names = sorted({lock.stem for lock in LOCKS.glob("*.txt")} - {*_NOT_HERE})
    for minor in sorted(interpreters()):
        for name in names:
            print(f"auto-lambda image: made {tools.python(name, minor).parents[1].name}")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())

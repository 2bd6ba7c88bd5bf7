"""Runs on the build instance: writes the manifest of the image."""

from __future__ import annotations

import json
import platform
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from auto_lambda.tools import LOCKS, interpreters, uv_executable

_PIN = re.compile(r"^([a-z0-9._-]+)==([^ ;\\]+)", re.MULTILINE | re.IGNORECASE)


def describe(payload: Path) -> dict[str, Any]:
    """Return what the image is built from (``payload.json``) and the versions of everything in it."""
    return {
        **json.loads(payload.read_text()),
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "system": platform.freedesktop_os_release()["PRETTY_NAME"],
        "kernel": platform.release(),
        "glibc": platform.libc_ver()[1],
        "pythons": {minor: _said(str(path), "--version") for minor, path in sorted(interpreters().items())},
        "programs": {"bubblewrap": _said("bwrap", "--version"), "gcc": _said("gcc", "-dumpfullversion"),
                     "uv": _said(uv_executable(), "--version")},
        "locks": {lock.stem: dict(_PIN.findall(lock.read_text())) for lock in sorted(LOCKS.glob("*.txt"))},
    }  # fmt: skip


def _said(*command: str) -> str:
    answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return next(word for word in answer if word[:1].isdigit())


def main() -> int:
    """Run ``python -m ami.manifest PAYLOAD.json IMAGE.json``."""
    payload, target = map(Path, sys.argv[1:])
    target.write_text(json.dumps(describe(payload), indent=2) + "\n")
    target.chmod(0o644)
    return 0


if __name__ == "__main__":
    sys.exit(main())

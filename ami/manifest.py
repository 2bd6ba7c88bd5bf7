"""Runs on the build instance: writes the manifest and the bill of materials of the image."""

from __future__ import annotations

import json
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

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


def bill(release: Mapping[str, str], listed: str) -> dict[str, Any]:
    """Return a CycloneDX bill of materials: the packages of our locks, and those of the distribution.

    Args:
        release: the fields of ``/etc/os-release``.
        listed: a line for each package of the distribution: name, version, architecture.
    """
    bom: dict[str, Any] = json.loads((LOCKS / "sbom.cdx.json").read_text())
    kind = "rpm" if release["ID"] == "amzn" else "deb"
    distro = f"{release['ID']}-{release['VERSION_ID']}"
    for line in sorted(set(listed.splitlines())):
        name, version, architecture = line.split("\t")
        purl = f"pkg:{kind}/{release['ID']}/{quote(name)}@{quote(version)}?arch={architecture}&distro={quote(distro)}"
        bom["components"].append({"bom-ref": purl, "name": name, "purl": purl, "type": "library", "version": version})
    del bom["serialNumber"]  # of the wheel's own
    return bom


def _packages() -> str:
    query = (
        ("rpm", "--query", "--all", "--queryformat", r"%{NAME}\t%{VERSION}-%{RELEASE}\t%{ARCH}\n")
        if shutil.which("rpm") and not shutil.which("dpkg-query")
        else ("dpkg-query", "--show", "--showformat", r"${Package}\t${Version}\t${Architecture}\n")
    )
    return subprocess.run(query, capture_output=True, text=True, check=True).stdout


def _said(*command: str) -> str:
    answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return next(word for word in answer if word[:1].isdigit())


def main() -> int:
    """Run ``python -m ami.manifest PAYLOAD.json IMAGE.json``; the bill of materials goes beside the manifest."""
    payload, target = map(Path, sys.argv[1:])
    _write(target, describe(payload))
    _write(target.with_name("sbom.cdx.json"), bill(platform.freedesktop_os_release(), _packages()))
    return 0


def _write(target: Path, content: Mapping[str, Any]) -> None:
    target.write_text(json.dumps(content, indent=2) + "\n")
    target.chmod(0o644)


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Fetch the JavaScript libraries of the console's page again, as libraries.json beside them names them.

    scripts/bundle_libraries.py            fetch the versions that are recorded; a package that has changed is refused
    scripts/bundle_libraries.py htm 3.1.2  take another version of a library, and record it

Packages come by npm, as it is configured. Of each, the files that the page uses are kept, with their licence.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[1] / "auto_lambda_cli/console/page/libraries"
RECORD = FOLDER / "libraries.json"


class Changed(Exception):
    """The package is not the one that is recorded."""


def integrity(content: bytes) -> str:
    """Return a hash as npm writes it."""
    return "sha512-" + base64.b64encode(hashlib.sha512(content).digest()).decode()


def fetch(name: str, version: str) -> bytes:
    """Download a package."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["npm", "pack", f"{name}@{version}", "--silent", "--pack-destination", folder]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        (archive,) = Path(folder).glob("*.tgz")
        return archive.read_bytes()


def unpack(library: dict[str, Any], archive: bytes, target: Path) -> None:
    """Write the files of a library, and record their hashes.

    Raises:
        Changed: as it says.
    """
    told = integrity(archive)
    if library.get("integrity", told) != told:
        raise Changed(f"{library['name']} {library['version']} is {told}, not {library['integrity']}")
    library["integrity"] = told
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for file in library["files"]:
            member = tar.extractfile(f"package/{file['from']}")
            if member is None:
                raise Changed(f"{library['name']} has no file {file['from']}")
            content = member.read()
            # A browser finds no module by a bare name; an import map would have to stand in the page as a script.
            for wanted, ours in file.get("imports", {}).items():
                content = content.replace(f'from"{wanted}"'.encode(), f'from"{ours}"'.encode())
            (target / file["to"]).write_bytes(content)
            file["sha512"] = integrity(content)


def main(argv: list[str]) -> int:
    """Fetch every library."""
    record = json.loads(RECORD.read_text())
    if argv:
        name, version = argv
        (chosen,) = (one for one in record["libraries"] if one["name"] == name)
        chosen["version"] = version
        chosen.pop("integrity", None)
    for library in record["libraries"]:
        unpack(library, fetch(library["name"], library["version"]), FOLDER)
    RECORD.write_text(json.dumps(record, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

#!/usr/bin/env python3
"""Check every package that our locks pin against the advisory database: `make audit`.

Exit codes: 0 nothing is known against any of them, 1 findings, 3 the database could not be asked, so nothing is known.
AUTO_LAMBDA_AUDIT_URL names a mirror of OSV's query API.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
FINE, FOUND, UNKNOWN = 0, 1, 3
URL = "AUTO_LAMBDA_AUDIT_URL"


@dataclass(frozen=True, slots=True)
class Checked:
    """What is known of a lock: a line for each finding, and why packages of it could not be checked, if so."""

    findings: tuple[str, ...]
    unknown: str


def check(lock: Path, environ: Mapping[str, str]) -> Checked:
    """Ask the database about a lock's packages."""
    mirror = ["--osv-url", environ[URL]] if environ.get(URL) else []
    done = subprocess.run(
        [sys.executable, "-m", "pip_audit", "--requirement", str(lock), "--disable-pip", "--require-hashes",
         "--vulnerability-service", "osv", *mirror, "--format", "json", "--progress-spinner", "off"],
        capture_output=True, text=True, check=False, env=dict(environ),
    )  # fmt: skip
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except ValueError:  # it prints its result only if it has one
        return Checked((), next(iter(reversed(done.stderr.strip().splitlines())), f"exit code {done.returncode}"))
    skipped = [f"{package['name']}: {package['skip_reason']}" for package in packages if "skip_reason" in package]
    return Checked(tuple(_findings(packages)), "; ".join(skipped))


def _findings(packages: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    for package in packages:
        for known in package.get("vulns", ()):
            mended = f", mended in {', '.join(known['fix_versions'])}" if known["fix_versions"] else ""
            yield f"{package['name']} {package['version']}: {known['id']}{mended}"


def main(locks: Iterable[Path]) -> int:
    """Check the locks and print what is found."""
    code = FINE
    for lock in locks:
        checked = check(lock, os.environ)
        for finding in checked.findings:
            print(f"{lock.name}: {finding}")
        if checked.unknown:
            print(f"{lock.name}: NOT CHECKED, the advisory database gave no answer: {checked.unknown}", file=sys.stderr)
        code = FOUND if checked.findings or code == FOUND else UNKNOWN if checked.unknown else code
    print({FINE: "nothing is known against any package", FOUND: "there are findings", UNKNOWN: "NOT CHECKED"}[code])
    return code


if __name__ == "__main__":
    given = [Path(argument) for argument in sys.argv[1:]]
    sys.exit(main(given or [ROOT / "requirements.txt", *sorted((ROOT / "auto_lambda/locks").glob("*.txt"))]))

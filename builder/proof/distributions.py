"""Find the distribution that a file of an installed tree belongs to."""

from __future__ import annotations

import csv
from collections.abc import Collection
from pathlib import Path


def owners(site: Path, files: Collection[str]) -> dict[str, str]:
    """Map files to the distributions, as in ``numpy 2.1.0``, whose RECORDs list them. Files of none are left out.

    Args:
        site: a folder with ``*.dist-info`` folders in it.
        files: below it, with slashes.
    """
    found: dict[str, str] = {}
    for record in sorted(site.glob("*.dist-info/RECORD")):
        name, _, version = record.parent.name.removesuffix(".dist-info").partition("-")
        try:
            with record.open(newline="", encoding="utf-8", errors="replace") as file:
                for row in csv.reader(file):
                    if row and row[0] in files:
                        found.setdefault(row[0], f"{name.replace('_', '-')} {version}")
        except (OSError, csv.Error):
            continue
    return found

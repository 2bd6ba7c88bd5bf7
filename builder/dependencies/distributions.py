"""Which distribution a file of an installed tree belongs to."""

from __future__ import annotations

import csv
from pathlib import Path


def owner(site: Path, relative: str) -> str | None:
    """Name and version, as in ``numpy 2.1.0``, of the distribution whose RECORD lists a file; None if none does.

    Args:
        site: a folder with ``*.dist-info`` folders in it.
        relative: the file, below it.
    """
    for record in sorted(site.glob("*.dist-info/RECORD")):
        try:
            with record.open(newline="", encoding="utf-8", errors="replace") as file:
                if any(row and row[0] == relative for row in csv.reader(file)):
                    name, _, version = record.parent.name.removesuffix(".dist-info").partition("-")
                    return f"{name.replace('_', '-')} {version}"
        except (OSError, csv.Error):
            continue
    return None

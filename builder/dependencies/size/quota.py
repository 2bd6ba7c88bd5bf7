"""Lambda's quota on the size of a function, and the error of what exceeds it."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from auto_lambda.errors import AppError, Code
from builder.dependencies.size.slim import Savings, measure

MEGABYTE = 1024 * 1024
MAX_BYTES = 250 * MEGABYTE
"""Of a function and its layers, unzipped (Lambda Developer Guide, 'Lambda quotas': 250 MB)."""

_MOST_NAMED = 8


def megabytes(size: int) -> str:
    """Return a size for people."""
    return f"{size / MEGABYTE:.0f} MB"


def named(sizes: Mapping[str, int]) -> str:
    """Name the largest, each with its size."""
    largest = sorted(sizes.items(), key=lambda item: (-item[1], item[0]))[:_MOST_NAMED]
    return ", ".join(f"{name} {megabytes(size)}" for name, size in largest)


def installed_sizes(site: Path) -> dict[str, int]:
    """Return the bytes of each distribution, as in ``numpy 2.1.0``; files that none lists count by their top name."""
    owner: dict[str, str] = {}
    for record in sorted(site.glob("*.dist-info/RECORD")):
        name, _, version = record.parent.name.removesuffix(".dist-info").partition("-")
        owner |= dict.fromkeys(_listed(record), f"{name.replace('_', '-')} {version}")
    sizes: dict[str, int] = {}
    for path, size in _files(site):
        whose = owner.get(path) or path.partition("/")[0]
        sizes[whose] = sizes.get(whose, 0) + size
    return sizes


def check_installed(site: Path, *, slim: bool) -> int:
    """Return the bytes of installed dependencies.

    Args:
        site: where they are.
        slim: what `measure` finds has been left out already.

    Raises:
        AppError: ``package-too-large``, with the largest distributions, and with what could be left out.
    """
    total = sum(size for _, size in _files(site))
    if total > MAX_BYTES:
        raise too_large(
            f"the dependencies are {megabytes(total)} unzipped, Lambda takes {megabytes(MAX_BYTES)}: "
            f"{named(installed_sizes(site))}",
            total, None if slim else measure(site),
        )  # fmt: skip
    return total


def check_wheels(sizes: Mapping[str, int]) -> None:
    """See that wheels may fit, by their sizes: what they hold is not smaller than they are.

    Raises:
        AppError: ``package-too-large``, with the largest.
    """
    if (total := sum(sizes.values())) > MAX_BYTES:
        raise too_large(
            f"the wheels of the dependencies are {megabytes(total)} before they are unzipped, Lambda takes "
            f"{megabytes(MAX_BYTES)} unzipped: {named(sizes)}",
            total, None,
        )  # fmt: skip


def too_large(message: str, total: int, savings: Savings | None) -> AppError:
    """Return the error; ``savings``: what slim would leave out of ``total``, None if nothing was measured."""
    replace = "remove or replace the largest packages, or fetch large data from a bucket at start."
    hint = f"{replace[0].upper()}{replace[1:]}"
    if savings and total - savings.total <= MAX_BYTES:
        hint = (
            f"Without {savings} it would be {megabytes(total - savings.total)}, which fits: write slim = true under "
            "[package] in auto-lambda.toml to leave them out."
        )
    elif savings:
        rest = megabytes(total - savings.total)
        hint = f"Without {savings}, which slim = true leaves out, it would be {rest}: {replace}"
    return AppError(Code.PACKAGE_TOO_LARGE, message, hint=hint)


def _listed(record: Path) -> Iterator[str]:
    try:
        with record.open(newline="", encoding="utf-8", errors="replace") as file:
            yield from (row[0] for row in csv.reader(file) if row)
    except (OSError, csv.Error):
        return


def _files(folder: Path) -> Iterable[tuple[str, int]]:
    start = len(str(folder)) + 1
    for path, _, names in os.walk(folder):
        for file in (f"{path}/{name}" for name in names):
            yield file[start:], os.lstat(file).st_size

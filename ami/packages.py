"""The packages that the image installs, by name, and whether dnf knows them."""

from __future__ import annotations

import difflib
from pathlib import Path

from ami.problems import NotStarted


def dnf_names(table: Path) -> tuple[str, ...]:
    """Return every dnf name in ``packages.tsv``, in order.

    Raises:
        NotStarted: a row does not have three columns.
    """
    names: list[str] = []
    for number, line in enumerate(table.read_text().splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        columns = line.split("\t")
        if len(columns) != 3:
            raise NotStarted(f"{table}:{number}: needs a group, its dnf names and its apt names, separated by tabs")
        names += [name for name in columns[1].split() if name != "-"]
    return tuple(names)


def check(table: Path, known: Path) -> None:
    """Find misspelt names before an instance is launched.

    Raises:
        NotStarted: names that are not on the list, with similar ones.
    """
    listed = {line for line in known.read_text().splitlines() if line and not line.startswith("#")}
    wrong = [name for name in dnf_names(table) if name not in listed]
    if not wrong:
        return
    told = ", ".join(f"{name}{_meant(name, listed)}" for name in wrong)
    raise NotStarted(f"{table}: dnf knows no package {told}; if it is new, add it to {known.name}")


def _meant(name: str, listed: set[str]) -> str:
    close = difflib.get_close_matches(name, sorted(listed), n=1)
    return f" (meant {close[0]}?)" if close else ""

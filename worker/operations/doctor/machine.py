"""Checks of the machine that a worker runs on."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Iterable, Iterator
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

import urllib3

from auto_lambda.runtimes import newest_first
from worker.builds.conversation import BuildTrouble
from worker.builds.launcher import Walls
from worker.index.hosts import Indexes
from worker.index.upstream import pool, proxy_for
from worker.operations.doctor.finding import Finding

LITTLE = 5 * 1024**3
"""Bytes that a few large builds and their cache take."""
_SECONDS = 15.0
_PROBED = "pip/"  # a project that every index has, or has heard of

Get = Callable[[str, dict[str, str]], int]
"""Asks an address, with headers, and says the status of the answer; raises `OSError` or urllib3's without one."""


def pythons(found: Collection[str], wanted: str | None = None) -> Finding:
    """Check the interpreters for apps.

    Args:
        found: the minor versions on this machine.
        wanted: the setting for apps that name none.
    """
    if not found:
        advice = "Install one, with its pip: `apt-get install python3` or `dnf install python3.13`."
        return Finding("Python", "broken", "this machine has no Python that Lambda offers (3.11 to 3.14)", advice)
    known = ", ".join(newest_first(tuple(found)))
    if wanted and wanted not in found:
        advice = f"Install Python {wanted}, or set AUTO_LAMBDA_PYTHON to another."
        return Finding("Python", "broken", f"apps should get {wanted}, but this machine only has {known}", advice)
    return Finding("Python", "fine", f"apps may run on {known}")


def walls(found: Walls) -> Finding:
    """Return what stands between a builder and the rest of the machine."""
    if missing := found.missing():
        advice = "Run the worker by its systemd units, or as root, where only trusted people may drop zips otherwise."
        return Finding("builder", "warning", missing, advice)
    return Finding("builder", "fine", "each builder has a user and namespaces of its own")


def builder_silent(error: BuildTrouble) -> Finding:
    """Return that no builder answers."""
    return Finding("builder", "broken", str(error), "Look for autolambda-builder in the journal.")


def sandbox(problem: str | None, chosen: str = "bubblewrap") -> Finding:
    """Return what keeps untrusted code apart; ``problem`` is why a builder cannot."""
    if chosen == "off":
        advice = "Take AUTO_LAMBDA_SANDBOX away unless every upload is trusted."
        return Finding("sandbox", "warning", "switched off: apps' code runs with the rights of a builder", advice)
    if problem:
        return Finding("sandbox", "broken", problem, "A worker does not start without it.")
    return Finding("sandbox", "fine", "bubblewrap isolates a command here")


def compiler(which: Callable[[str], str | None] = shutil.which) -> Finding:
    """Check the compiler for dependencies without a wheel."""
    missing = [name for name in ("cc", "c++", "make") if not which(name)]
    if missing:
        found = f"missing: {', '.join(missing)}; a dependency without a wheel will fail"
        return Finding("compiler", "warning", found, "`apt-get install build-essential` or `dnf install gcc-c++ make`")
    return Finding("compiler", "fine", "C and C++ can be compiled")


def disks(folders: Iterable[Path], free: Callable[[Path], int] | None = None) -> Iterator[Finding]:
    """Check the space for builds and cache, once for each file system; ``free`` returns the free bytes of a folder."""
    seen = set()
    for folder in folders:
        there = next(place for place in (folder, *folder.parents) if place.exists())
        if (device := there.stat().st_dev) in seen:
            continue
        seen.add(device)
        bytes_ = (free or _free)(there)
        found = f"{bytes_ / 1024**3:.1f} GB free at {folder}"
        if bytes_ < LITTLE:
            yield Finding(
                "disk",
                "warning",
                found,
                "Free some space: a build that fills the disk fails, and is retried elsewhere.",
            )
        else:
            yield Finding("disk", "fine", found)


def indexes(found: Indexes, get: Get | None = None) -> Iterator[Finding]:
    """Whether the package indexes answer, the private ones with their credentials, which are told to nobody."""
    private = {one.alias: one for one in found.private}
    for url in found.urls:
        parts = urlsplit(url)
        if one := private.get(parts.hostname or ""):
            yield _index(one.base + parts.path, {"Authorization": one.authorization}, get or _get)
        else:
            yield _index(url, {}, get or _get)


def _index(url: str, headers: dict[str, str], get: Get) -> Finding:
    try:
        status = get(f"{url.rstrip('/')}/{_PROBED}", headers)
    except (OSError, urllib3.exceptions.HTTPError) as error:
        advice = "See to the network, to HTTPS_PROXY, and to what pip's or uv's configuration names."
        return Finding("index", "broken", f"{url} does not answer: {error}", advice)
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        advice = "Renew them where pip or uv has them: in the address, UV_INDEX_<NAME>_PASSWORD or netrc."
        return Finding("index", "broken", f"{url} refuses our credentials ({status})", advice)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Finding("index", "broken", f"{url} answers {status}", "Ask who runs it, or name another.")
    return Finding("index", "fine", f"{url} answers")


def _free(folder: Path) -> int:
    return shutil.disk_usage(folder).free


def _get(url: str, headers: dict[str, str]) -> int:
    """No redirect is followed: it would take credentials along to wherever it leads."""
    with pool(proxy_for(urlsplit(url).hostname or "")) as connections:
        answer = connections.request(
            "GET", url, headers=headers, redirect=False, retries=False, timeout=_SECONDS, preload_content=False
        )
        return answer.status

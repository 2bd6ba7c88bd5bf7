"""Remembers to which files the pages of private indexes have led."""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Iterable
from urllib.parse import unquote, urlsplit, urlunsplit

from packaging.utils import canonicalize_name

from worker.index.hosts import PrivateIndex

_MOST = 50_000  # addresses; some 15 MB
_MOST_CHARACTERS = 16_000_000  # of them all: an address may be as long as an index likes
_METADATA = ".metadata"
_ENDINGS = (".whl", ".tar.gz", ".zip", ".tar.bz2", ".tar.xz", ".tgz", ".egg")
_VERSION = re.compile(r"-(?=v?\d)")
_MOST_NAMES = 3


class Links:
    """Remembers the packages' files that pages have led to, the newest of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[tuple[str, str, str], None] = OrderedDict()
        self._characters = 0

    def add(self, private: PrivateIndex, addresses: Iterable[str]) -> None:
        """Remember those of the index's own host; the oldest are forgotten first."""
        own = (urlsplit(address) for address in addresses if address.startswith(f"{private.base}/"))
        files = [_target(parts.path, parts.query) for parts in own if parts.path.endswith(_ENDINGS)]
        with self._lock:
            for file in files:
                known = (private.base, private.folder, file)
                self._characters += len(file) if known not in self._known else 0
                self._known[known] = None
            while len(self._known) > _MOST or self._characters > _MOST_CHARACTERS:
                (_, _, oldest), _ = self._known.popitem(last=False)
                self._characters -= len(oldest)

    def lead_to(self, private: PrivateIndex, path: str, query: str = "") -> bool:
        """Tell whether a page has led to the file, or to that whose metadata (PEP 658) it is."""
        return any(
            (private.base, private.folder, _target(file, query)) in self._known
            for file in (path, path.removesuffix(_METADATA))
        )


def projects(path: str) -> list[str]:
    """Return the names that the page of a file may have, by the name of the file; none for what is no package's."""
    name = unquote(path.removesuffix(_METADATA).rpartition("/")[2])
    if not name.endswith(_ENDINGS):
        return []
    if name.endswith(".whl"):
        return [canonicalize_name(name.partition("-")[0])]
    ends = [match.start() for match in _VERSION.finditer(name)][:_MOST_NAMES]
    return [canonicalize_name(name[:end]) for end in ends]


def _target(path: str, query: str) -> str:
    return urlunsplit(("", "", path, query, ""))

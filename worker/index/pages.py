"""What the pages of a package index lead to (PEP 503, PEP 691)."""

from __future__ import annotations

import contextlib
import json
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

from worker.index.hosts import PrivateIndex

_HTML = ("text/html", "application/vnd.pypi.simple.v1+html")
_JSON = ("application/vnd.pypi.simple.v1+json", "application/json")
PAGES = (*_HTML, *_JSON)
_MOST = 200_000  # paths; some 30 MB


class Links:
    """Remembers the files of private indexes that lie outside their prefix.

    Azure Artifacts for one names a feed in the address of its pages and numbers it in those of its files.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[tuple[str, str], None] = OrderedDict()

    def add(self, private: PrivateIndex, addresses: Iterable[str]) -> None:
        """Remember those of the index's own host; the oldest are forgotten first."""
        own = (urlsplit(address) for address in addresses if address.startswith(f"{private.base}/"))
        outside = [parts.path for parts in own if not private.holds(parts.path)]
        with self._lock:
            self._known.update(dict.fromkeys((private.base, path) for path in outside))
            while len(self._known) > _MOST:
                self._known.popitem(last=False)

    def lead_to(self, private: PrivateIndex, path: str) -> bool:
        """Tell whether a page has led to the path, or to the file whose metadata (PEP 658) it is."""
        return any((private.base, file) in self._known for file in (path, path.removesuffix(".metadata")))


def links(page: bytes, kind: str, address: str) -> Iterator[str]:
    """Yield the whole addresses of a page's files; none for a page that is none.

    Args:
        page: as the index sent it.
        kind: one of `PAGES`.
        address: where the page is.
    """
    found = _from_json(page) if kind in _JSON else _from_html(page)
    for link in found:
        try:
            yield urljoin(address, link)
        except ValueError:  # an address that is none: whoever asks for it is refused
            continue


def _from_json(page: bytes) -> list[str]:
    try:
        files = json.loads(page)["files"]
        return [file["url"] for file in files if isinstance(file["url"], str)]
    except (ValueError, TypeError, KeyError, RecursionError):
        return []


def _from_html(page: bytes) -> list[str]:
    reader = _Anchors()
    with contextlib.suppress(AssertionError):  # how the reader tells of a declaration that is none
        reader.feed(page.decode(errors="replace"))
    return reader.found


class _Anchors(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note where an anchor leads to."""
        if tag == "a":
            self.found += [value for name, value in attrs if name == "href" and value]

"""Asks private indexes with their credentials, for their pages and for the files that these lead to."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import SplitResult, urljoin, urlsplit

import urllib3
from packaging.utils import canonicalize_name

from worker.index.hosts import PrivateIndex, is_plain
from worker.index.links import Links, projects
from worker.index.pages import LARGEST_PAGE, PAGES, PageReader, PageTooLarge
from worker.index.upstream import pool, proxy_for

_REDIRECTS = 5
_SERVER_ERROR = 500
_CHUNK = 64 * 1024
_PAGES_AT_ONCE = 8  # each takes up to some 20 MB
_ANY_PAGE = {"Accept": ", ".join(PAGES)}


class NotOffered(Exception):
    """Something that is no business of a build; says what."""


@dataclass(frozen=True, slots=True)
class IndexAnswer:
    """What an index answered a request with.

    Attributes:
        response: not yet read.
        address: what was asked for, before any redirect.
        own: whether it came from the index itself, and not from where it sent us on to.
    """

    response: urllib3.BaseHTTPResponse
    address: str
    own: bool

    @property
    def kind(self) -> str:
        """The media type."""
        return self.response.headers.get("Content-Type", "").split(";")[0].strip().lower()

    @property
    def failed(self) -> bool:
        """Whether the index says that it is its own fault, or that it is too busy."""
        return self.response.status == HTTPStatus.TOO_MANY_REQUESTS or self.response.status >= _SERVER_ERROR


class SignedRequests:
    """Asks for what a build may have of a private index.

    Args:
        links: what pages have led to.
    """

    def __init__(self, links: Links) -> None:
        self._links = links
        self._pools: dict[str | None, urllib3.PoolManager] = {}
        self._pages = threading.BoundedSemaphore(_PAGES_AT_ONCE)

    @contextmanager
    def open(
        self, private: PrivateIndex, wanted: SplitResult, method: str, headers: Mapping[str, str]
    ) -> Iterator[IndexAnswer]:
        """Ask for a page, or for a file that a page has led to.

        Raises:
            NotOffered: it is neither, or leads elsewhere.
            urllib3.exceptions.HTTPError: the index failed.
        """
        if not (self._offers(private, wanted) or self._linked_now(private, wanted)):
            raise NotOffered(f"{private.alias}{wanted.path}")
        target = private.base + wanted._replace(scheme="", netloc="", fragment="").geturl()
        response, own = self._follow(private, target, method, headers)
        with closing(response):  # a connection that still has an answer in it is no use to anybody else
            yield IndexAnswer(response, target, own)
            if response.closed:
                response.release_conn()

    def page(self, private: PrivateIndex, answer: IndexAnswer) -> Generator[bytes]:
        """Yield a page's bytes, and remember the files that it leads to if it is the page of a project.

        Raises:
            PageTooLarge: nobody needs a page that long.
        """
        if (answer.response.length_remaining or 0) > LARGEST_PAGE:
            raise PageTooLarge(f"more than {LARGEST_PAGE} bytes")
        reader = PageReader(answer.kind, answer.address)
        # An error's page, a login's for one, leads to what is nobody's package; a file may call itself a page.
        is_page = private.has_page(urlsplit(answer.address).path)
        leads = is_page and answer.own and answer.response.status == HTTPStatus.OK
        with self._pages:
            for piece in pieces(answer.response, unpack=True):
                self._remember(private, reader.feed(piece), leads)
                yield piece
            self._remember(private, reader.close(), leads)

    def _remember(self, private: PrivateIndex, addresses: list[str], leads: bool) -> None:
        if leads:
            self._links.add(private, addresses)

    def _offers(self, private: PrivateIndex, wanted: SplitResult) -> bool:
        known = self._links.lead_to(private, wanted.path, wanted.query)
        return is_plain(wanted.path) and (private.has_page(wanted.path) or known)

    def _linked_now(self, private: PrivateIndex, wanted: SplitResult) -> bool:
        """Look on the page of the file's project: a lock or a cache may have the address from before this process."""
        if not is_plain(wanted.path):
            return False
        return any(self._on_page(private, f"{private.folder}{name}/", wanted) for name in projects(wanted.path))

    def _on_page(self, private: PrivateIndex, path: str, wanted: SplitResult) -> bool:
        if not private.has_page(path):
            return False
        with self.open(private, urlsplit(f"{private.base}{path}"), "GET", _ANY_PAGE) as answer:
            if answer.failed:
                raise urllib3.exceptions.HTTPError(f"status {answer.response.status}")
            if answer.kind not in PAGES:
                return False
            with closing(self.page(private, answer)) as page:
                return any(self._offers(private, wanted) for _ in page) or self._offers(private, wanted)

    def _follow(
        self, private: PrivateIndex, target: str, method: str, headers: Mapping[str, str]
    ) -> tuple[urllib3.BaseHTTPResponse, bool]:
        """Ask, and where the index sends us on, ask there: without credentials, unless it could be asked for itself.

        Some indexes keep their files in a store that signed addresses lead to. Nothing leads out of TLS, where a
        machine's metadata would be.
        """
        own = True
        response = self._ask(private, target, method, headers, own)
        for _ in range(_REDIRECTS):
            location = response.get_redirect_location()
            if not isinstance(location, str):
                break
            response.close()
            before, target = target, urljoin(target, location)
            to = urlsplit(target)
            own = own and target.startswith(f"{private.base}/") and self._follows(private, urlsplit(before), to)
            if not own and to.scheme != "https":
                raise NotOffered(f"{private.alias}{to.path}" if target.startswith(f"{private.base}/") else to.netloc)
            response = self._ask(private, target, method, headers, own)
        return response, own

    def _follows(self, private: PrivateIndex, before: SplitResult, to: SplitResult) -> bool:
        """Tell whether the index calls the same thing by another name: ``Demo/`` ``demo/``, or ``+simple/demo/``."""
        same = _name(before.path) == _name(to.path) and private.holds(to.path)
        return same or self._offers(private, to)

    def _ask(
        self, private: PrivateIndex, target: str, method: str, headers: Mapping[str, str], own: bool
    ) -> urllib3.BaseHTTPResponse:
        """Send a request without following a redirect: it might lead credentials away from their index."""
        signed = {**headers, "Authorization": private.authorization} if own else headers
        connections = self._pool(urlsplit(target).hostname or "")
        return connections.request(method, target, headers=signed, preload_content=False, redirect=False)

    def _pool(self, host: str) -> urllib3.PoolManager:
        """Connections to a host, through the proxy that leads to it if there is one."""
        proxy = proxy_for(host)
        if proxy not in self._pools:
            self._pools[proxy] = pool(proxy)
        return self._pools[proxy]


def pieces(response: urllib3.BaseHTTPResponse, *, unpack: bool) -> Iterator[bytes]:
    """Yield a body in pieces. Not by ``stream``, which keeps the line before a chunk however long it is."""
    while piece := response.read(_CHUNK, decode_content=unpack):
        yield piece


def _name(path: str) -> str:
    return canonicalize_name(path.rstrip("/").rpartition("/")[2])

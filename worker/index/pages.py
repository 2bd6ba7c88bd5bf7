"""Reads what the pages of a package index lead to (PEP 503, PEP 691), as they come, in little memory."""

from __future__ import annotations

import codecs
import contextlib
import json
import re
from collections.abc import Generator
from html.parser import HTMLParser
from typing import Any, Protocol
from urllib.parse import urljoin

_HTML = ("text/html", "application/vnd.pypi.simple.v1+html")
_JSON = ("application/vnd.pypi.simple.v1+json", "application/json")
PAGES = (*_HTML, *_JSON)
LARGEST_PAGE = 64 * 1024 * 1024
"""Bytes of a page, unpacked. The largest of public indexes have some 20 MB."""
MOST_LINKS = 200_000
"""Links of a page. The largest of public indexes have some 60,000."""
_WORD = re.compile(r"[^ \t\r\n]")
MOST_PARTS = 2_500_000
"""Tags, attributes, texts and comments of a page in HTML. One with the most links has half of them."""
MOST_VALUES = 2 * MOST_LINKS
"""Keys and values of a page in JSON; a file is one."""
_PIECE = 16 * 1024  # bytes that are read on at once, as long as nothing is unfinished
_LONGEST = 32 * 1024  # characters of one tag, comment or script: an attribute of two takes 500 bytes while it is read
_LONGEST_VALUE = 256 * 1024  # characters, in JSON; a list of all versions is one


class PageTooLarge(Exception):
    """A page, or one tag or value of it, is larger than that of any package."""


class _Parser(Protocol):
    found: list[str]
    longest: int

    def feed(self, data: str) -> None:
        """Read on. Raises `PageTooLarge`."""

    def unread(self) -> int:
        """Return how many characters wait for their end."""


class PageReader:
    """Finds the links of a page in its bytes.

    Args:
        kind: one of `PAGES`.
        address: where the page is.
    """

    def __init__(self, kind: str, address: str) -> None:
        self._parser: _Parser = _Files() if kind in _JSON else _Anchors()
        self._address = address
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._fresh: list[str] = []
        self._size = 0  # of what is fresh
        self._total = 0
        self._links = 0

    def feed(self, data: bytes) -> list[str]:
        """Return the whole addresses of the files that have come into sight.

        Raises:
            PageTooLarge: the page is one that nobody should read on.
        """
        self._total += len(data)
        if self._total > LARGEST_PAGE:
            raise PageTooLarge(f"more than {LARGEST_PAGE} bytes")
        pieces = (data[start : start + _PIECE] for start in range(0, len(data), _PIECE))
        return [address for piece in pieces for address in self._feed(piece)]

    def _feed(self, data: bytes) -> list[str]:
        text = self._decoder.decode(data)
        self._fresh.append(text)
        self._size += len(text)
        # What is unfinished is looked at again each time, so the pieces have to double.
        return self.close() if self._size >= self._parser.unread() else []

    def close(self) -> list[str]:
        """Return the addresses in what was put off."""
        text, self._fresh, self._size = "".join(self._fresh), [], 0
        self._parser.feed(text)
        if self._parser.unread() > self._parser.longest:
            raise PageTooLarge(f"more than {self._parser.longest} characters in one tag or value")
        found, self._parser.found = self._parser.found, []
        self._links += len(found)
        if self._links > MOST_LINKS:
            raise PageTooLarge(f"more than {MOST_LINKS} links")
        return [address for link in found if (address := self._whole(link))]

    def _whole(self, link: str) -> str | None:
        try:
            return urljoin(self._address, link)
        except ValueError:  # an address that is none: whoever asks for it is refused
            return None


class _Anchors(HTMLParser):
    longest = _LONGEST

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._over = False
        self._parts = 0

    def feed(self, data: str) -> None:
        """Read on, unless something was a declaration and none, of which the reader tells by an assertion."""
        if not self._over:
            self._over = True
            with contextlib.suppress(AssertionError):
                super().feed(data)
                self._over = False

    def unread(self) -> int:
        """Return the length of the unfinished tag or text."""
        return 0 if self._over else len(self.rawdata)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note where an anchor leads to."""
        self._count(1 + len(attrs))
        if tag == "a":
            self.found += [value for name, value in attrs if name == "href" and value]

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002 - the base class names it so
        """Count it, as everything else: each takes time."""
        self._count()

    def handle_data(self, data: str) -> None:  # noqa: ARG002
        """Count it."""
        self._count()

    def handle_comment(self, data: str) -> None:  # noqa: ARG002
        """Count it."""
        self._count()

    def handle_decl(self, decl: str) -> None:  # noqa: ARG002
        """Count it."""
        self._count()

    def handle_pi(self, data: str) -> None:  # noqa: ARG002
        """Count it."""
        self._count()

    def unknown_decl(self, data: str) -> None:  # noqa: ARG002
        """Count it."""
        self._count()

    def _count(self, parts: int = 1) -> None:
        self._parts += parts
        if self._parts > MOST_PARTS:
            raise PageTooLarge(f"more than {MOST_PARTS} tags, attributes and texts")


_Waiting = Generator[None, None, Any]


class _Files:
    """Reads the ``url`` of each of a page's ``files``, a value at a time."""

    longest = _LONGEST_VALUE

    def __init__(self) -> None:
        self.found: list[str] = []
        self._values = 0
        self._text, self._at = "", 0
        self._scan = json.JSONDecoder().raw_decode
        self._steps = self._page()
        self._over = False

    def feed(self, data: str) -> None:
        """Read on, up to where the page ends or is no JSON any more."""
        if self._over:
            return
        self._text, self._at = self._text[self._at :] + data, 0
        try:
            next(self._steps)
        except (StopIteration, ValueError, TypeError, KeyError, RecursionError):
            self._over, self._text = True, ""

    def unread(self) -> int:
        """Return the length of the unfinished value."""
        return 0 if self._over else len(self._text) - self._at

    def _page(self) -> _Waiting:
        yield from self._sign("{")
        sign = ","
        while sign == ",":
            key = yield from self._value()
            yield from self._sign(":")
            yield from self._files() if key == "files" else self._value()
            sign = yield from self._sign(",}")

    def _files(self) -> _Waiting:
        yield from self._sign("[")
        if (yield from self._ahead()) == "]":
            yield from self._sign("]")
            return
        sign = ","
        while sign == ",":
            url = (yield from self._value())["url"]
            self.found += [url] if isinstance(url, str) else []
            sign = yield from self._sign(",]")

    def _ahead(self) -> Generator[None, None, str]:
        """Return the next character that is no space, and stay before it."""
        while True:
            if word := _WORD.search(self._text, self._at):
                self._at = word.start()
                return word[0]
            self._at = len(self._text)
            yield

    def _sign(self, expected: str) -> Generator[None, None, str]:
        sign = yield from self._ahead()
        if sign not in expected:
            raise ValueError(f"{sign} in place of {expected}")
        self._at += 1
        return sign

    def _value(self) -> _Waiting:
        self._values += 1
        if self._values > MOST_VALUES:
            raise PageTooLarge(f"more than {MOST_VALUES} values")
        yield from self._ahead()
        while True:
            with contextlib.suppress(json.JSONDecodeError):
                value, end = self._scan(self._text, self._at)
                if end < len(self._text):  # else it might be the beginning of a longer number
                    self._at = end
                    return value
            yield

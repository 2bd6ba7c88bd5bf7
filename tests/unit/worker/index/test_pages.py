"""An index's pages are read for what they lead to, and for nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from linear import assert_linear, numbered, repeated

from worker.index import pages
from worker.index.hosts import PrivateIndex
from worker.index.pages import Links, links

AT = "https://index.example/team/simple/demo/"
PRIVATE = PrivateIndex("index-0.internal", "https://index.example", "Basic eA==", "/team/")


def test_the_anchors_of_a_page_are_its_files() -> None:
    page = b"""<a href="../../f/a-1.whl#sha256=0" data-requires-python="&gt;=3, https://index.example/api">a</a>
        <link href="/style.css"><A HREF="/7d/b-1.whl">b</A><a>c</a><a href="http://[">d</a> https://index.example/x"""
    assert list(links(page, "text/html", AT)) == [
        "https://index.example/team/f/a-1.whl#sha256=0",
        "https://index.example/7d/b-1.whl",
    ]


def test_the_files_of_a_page_in_json_are_its_files() -> None:
    page = json.dumps({"files": [{"url": "/7d/a-1.whl"}, {"url": "b-1.whl"}], "meta": {"url": "/api"}}).encode()
    found = list(links(page, "application/vnd.pypi.simple.v1+json", AT))
    assert found == ["https://index.example/7d/a-1.whl", f"{AT}b-1.whl"]


@pytest.mark.parametrize("page", [b"", b"\xff", b"[]", b"{}", b'{"files": 3}', b'{"files": [{}]}', b"[" * 100_000])
@pytest.mark.parametrize("kind", pages.PAGES)
def test_a_page_that_is_none_leads_nowhere(page: bytes, kind: str) -> None:
    assert list(links(page, kind, AT)) == []


def test_files_of_other_hosts_are_not_the_index_s() -> None:
    known = Links()
    known.add(PRIVATE, ["https://index.example.org/a", "https://elsewhere.example/a", "http://index.example/a"])
    assert not known.lead_to(PRIVATE, "/a")


def test_the_oldest_are_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "_MOST", 2)
    known = Links()
    for name in "abc":
        known.add(PRIVATE, [f"https://index.example/{name}"])
    assert [known.lead_to(PRIVATE, f"/{name}") for name in "abc"] == [False, True, True]


def test_a_declaration_that_is_none_ends_a_page() -> None:
    page = b'<a href="one.whl">one</a><![<a href="two.whl">two</a>'
    assert list(links(page, "text/html", AT)) == [f"{AT}one.whl"]


WORST = {
    "tags": repeated("<a "),
    "comments": repeated("<!--"),
    "brackets": repeated("<"),
    "attributes": repeated(" a=", start="<a"),
    "references": repeated("&a"),
    "declarations": repeated("<!"),
    "instructions": repeated("<?"),
    "ends": repeated("</"),
    "quotes": repeated('"', start="<a href="),
    "steps upwards": repeated("../", start='<a href="', end='">'),
    "files": numbered('<a href="p/{:08}.whl">a</a>\n'),
}


@pytest.mark.parametrize("worst", WORST.values(), ids=WORST)
def test_a_page_takes_time_in_proportion_to_its_length(worst: Callable[[int], str]) -> None:
    def read(text: str) -> None:
        list(links(text.encode(), "text/html", "https://index.example/simple/a/"))

    assert_linear(read, worst, 256 * 1024)

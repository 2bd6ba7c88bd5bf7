"""An index's pages are read for what they lead to, and for nothing else."""

from __future__ import annotations

import json

import pytest

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

"""An index's pages are read for what they lead to, and for nothing else."""

from __future__ import annotations

import contextlib
import json
import tracemalloc
from collections.abc import Callable, Iterator
from html import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st
from linear import assert_linear, numbered, repeated

from worker.index import pages
from worker.index.pages import PageReader, PageTooLarge

AT = "https://index.example/team/simple/demo/"
HTML, JSON = "text/html", "application/vnd.pypi.simple.v1+json"


def links(page: bytes, kind: str, address: str, piece: int = 64 * 1024) -> Iterator[str]:
    reader = PageReader(kind, address)
    for start in range(0, len(page), piece):
        yield from reader.feed(page[start : start + piece])
    yield from reader.close()


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


@given(st.lists(st.tuples(st.text(max_size=8), st.integers() | st.text(max_size=5))), st.integers(1, 40), st.booleans())
def test_a_page_says_the_same_in_whatever_pieces_it_comes(
    files: list[tuple[str, int | str]], piece: int, ascii_only: bool
) -> None:
    entries = [{"size": size, "url": f"/7d/{name}.whl", "hashes": {"url": "no"}} for name, size in files]
    text = json.dumps({"a": [1, 23, {"files": 4}], "files": entries, "versions": ["1"]}, ensure_ascii=ascii_only)
    page = text.encode(errors="replace")
    whole = list(links(page, JSON, AT))
    assert list(links(page, JSON, AT, piece)) == whole
    assert len(whole) == len(files)
    html = "".join(f'<a href="/7d/{i}{escape(name)}.whl">x &amp; y</a>\n' for i, (name, _) in enumerate(files))
    assert list(links(html.encode(errors="replace"), HTML, AT, piece)) == list(
        links(html.encode(errors="replace"), HTML, AT)
    )


UNFINISHED = {
    "a link": (HTML, '<a href="', "a"),
    "a comment": (HTML, "<!--", "a"),
    "a script": (HTML, "<script>", "a"),
    "a string": (JSON, '{"files": [{"url": "', "a"),
    "a value": (JSON, '{"meta": [', "[],"),
}


@pytest.mark.parametrize(("kind", "start", "more"), UNFINISHED.values(), ids=UNFINISHED)
def test_what_never_ends_is_not_kept(kind: str, start: str, more: str) -> None:
    page = start.encode() + more.encode() * (3_000_000 // len(more))
    with pytest.raises(PageTooLarge):
        list(links(page, kind, AT))


@pytest.mark.parametrize("kind", pages.PAGES)
def test_a_page_is_not_read_without_end(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "LARGEST_PAGE", 1_000_000)
    with pytest.raises(PageTooLarge):
        list(links(b" " * 1_000_001, kind, AT))


@pytest.mark.parametrize(
    ("kind", "start", "file"), [(HTML, "", '<a href="a">a</a>'), (JSON, '{"files": [', '{"url": "a"},')]
)
def test_a_page_does_not_lead_anywhere_without_end(
    kind: str, start: str, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "MOST_LINKS", 100)
    assert len(list(links((start + file * 100).encode(), kind, AT))) == 100
    with pytest.raises(PageTooLarge):
        list(links((start + file * 101).encode(), kind, AT))


GREEDY = {
    "one tag of many attributes": (HTML, "<a " + "a " * 490_000 + ">"),
    "a comment before it": (HTML, "<!--" + "-" * 900_000 + "--><a " + "a " * 490_000 + ">"),
    "a quote before it": (HTML, '<a b=">" ' + "a " * 490_000 + ">"),
    "tags of many attributes": (HTML, ("<a " + "a " * 16_000 + ">") * 30),
    "values of many values": (JSON, '{"a": [' + "{}," * 330_000 + "0], "),
}


@pytest.mark.parametrize(("kind", "page"), GREEDY.values(), ids=GREEDY)
def test_a_page_takes_little_memory(kind: str, page: str) -> None:
    data = page.encode()
    tracemalloc.start()
    with contextlib.suppress(PageTooLarge):
        list(links(data, kind, AT))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40_000_000


PARTS = {
    "tags": (HTML, "<b>"), "attributes": (HTML, "<b a b c>"), "ends": (HTML, "</b>"), "texts": (HTML, "a<b>"),
    "brackets": (HTML, "< "), "comments": (HTML, "<!---->"), "declarations": (HTML, "<!a>"),
    "instructions": (HTML, "<?a>"), "marked sections": (HTML, "<![CDATA[a]]>"), "keys": (JSON, '"a": 0,'),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "part"), PARTS.values(), ids=PARTS)
def test_everything_of_a_page_is_counted(kind: str, part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "MOST_PARTS", 100)
    monkeypatch.setattr(pages, "MOST_VALUES", 200)
    start = "{" if kind == JSON else ""
    assert list(links((start + part * 20).encode(), kind, AT)) == []
    with pytest.raises(PageTooLarge):
        list(links((start + part * 110).encode(), kind, AT))


def test_a_page_of_many_links_takes_no_more_memory_than_one_of_few() -> None:
    page = b"".join(b'<a href="/team/files/demo-%d.tar.gz">x</a>\n' % number for number in range(1000))
    reader, peaks = PageReader(HTML, AT), list[int]()
    tracemalloc.start()
    for _ in range(6):
        reader.feed(page)
        peaks.append(tracemalloc.get_traced_memory()[1])
    tracemalloc.stop()
    assert peaks[-1] < 2 * peaks[0]


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
        with contextlib.suppress(PageTooLarge):
            list(links(text.encode(), "text/html", "https://index.example/simple/a/", 4096))

    assert_linear(read, worst, 256 * 1024)


WORST_JSON = {
    "arrays": repeated("[", start='{"meta": '),
    "objects": repeated('{"a":'),
    "members": repeated('"a": 1, ', start="{"),
    "a string": repeated("\\\\", start='{"'),
    "a list": repeated('"1",', start='{"versions": ['),
    "spaces": repeated(" ", start="{"),
    "files": repeated('{"url": "p/a.whl"}, ', start='{"files": ['),
}


@pytest.mark.parametrize("worst", WORST_JSON.values(), ids=WORST_JSON)
def test_a_page_in_json_takes_time_in_proportion_to_its_length(worst: Callable[[int], str]) -> None:
    def read(text: str) -> None:
        with contextlib.suppress(PageTooLarge):
            list(links(text.encode(), JSON, "https://index.example/simple/a/", 4096))

    assert_linear(read, worst, 256 * 1024)

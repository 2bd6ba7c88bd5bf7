"""What is asked of a private index with its credentials: its pages, and the files that these lead to."""

from __future__ import annotations

import gzip
import http.client
import http.server
import json
import socket
import threading
import tracemalloc
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from builder.sandbox.sandbox import IndexAccess
from worker.index import pages
from worker.index.hosts import Indexes, discover
from worker.index.links import Links
from worker.index.proxy import IndexProxy

TOKEN = "Basic " + b64encode(b"reader:s3cret").decode()
JSON = "application/vnd.pypi.simple.v1+json"


@dataclass
class Host:
    """A host with more than an index on it.

    Attributes:
        pages: text by path; None for a file's bytes.
        redirects: from path to address.
        asked: what for, signed (``+``) or not (``-``).
    """

    pages: dict[str, bytes] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    statuses: dict[str, int] = field(default_factory=dict)
    headers: dict[str, Mapping[str, str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    address: str = ""

    def indexes(self, folder: str = "/team/simple/") -> Indexes:
        return discover({"UV_DEFAULT_INDEX": f"http://reader:s3cret@{self.address}{folder}"}, pip_options=dict)


@pytest.fixture
def host() -> Iterator[Host]:
    known = Host()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known.asked.append(("+" if self.headers.get("Authorization") == TOKEN else "-") + self.path)
            to = known.redirects.get(self.path)
            self.send_response(302 if to else known.statuses.get(self.path, 200))
            if to:
                self.send_header("Location", to)
            body = known.pages.get(self.path, b"bytes")
            kind = JSON if body.startswith(b"{") else "text/html"
            self.send_header("Content-Type", kind if self.path in known.pages else "application/octet-stream")
            for name, value in known.headers.get(self.path, {"Content-Length": str(len(body))}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        known.address = f"127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield known
        server.shutdown()


@dataclass
class Build:
    """Asks as a build does."""

    socket_path: Path
    refused: list[str]

    @contextmanager
    def answer(self, path: str, index: int = 0) -> Iterator[http.client.HTTPResponse]:
        connection = http.client.HTTPConnection("proxy", timeout=10)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(str(self.socket_path))
        with closing(connection):
            connection.request("GET", f"http://index-{index}.internal{path}")
            with connection.getresponse() as answer:
                yield answer

    def get(self, path: str, index: int = 0) -> tuple[int, bytes]:
        with self.answer(path, index) as answer:
            return answer.status, answer.read()

    def status(self, path: str, index: int = 0) -> int:
        return self.get(path, index)[0]

    def failures(self) -> int:
        return IndexAccess(self.socket_path, {}).failures()

    def too_large(self) -> int:
        return IndexAccess(self.socket_path, {}).too_large()


@contextmanager
def build(folder: Path, indexes: Indexes, seen: Links | None = None) -> Iterator[Build]:
    refused: list[str] = []
    with IndexProxy(folder / "s", indexes, refused.append, seen=seen or Links()) as proxy:
        yield Build(proxy.socket_path, refused)


def link(to: str) -> bytes:
    return f'<a href="{to}#sha256=0">a file</a>'.encode()


OUTSIDE = [
    "/api/v4/user", "/artifactory/api/security/apiKey", "/team/../api/key", "/team/%2e%2e/api/key", "/", "/teams/x",
    "/7d/files/far-1.whl", "/team/", "/team/files/", "/team/simple2/x", "/team/simplex", "/team/simple/../../api/key",
    "/team/simple/far/deeper", "/team/simple/..%2fapi", "//team/simple/far/", "/team/other/simple/far/",
]  # fmt: skip


@pytest.mark.parametrize("path", OUTSIDE)
def test_no_other_path_of_a_private_host_is_asked_for_with_its_credentials(
    tmp_path: Path, host: Host, path: str
) -> None:
    with build(tmp_path, host.indexes()) as asks:
        assert asks.status(path) == 403
    assert path not in {asked[1:] for asked in host.asked}
    assert asks.refused == [f"index-0.internal{path}"]


@pytest.mark.parametrize("path", ["/admin/users", "/api/v1/token", "/other-team/simple/x", "/private/x/"])
@pytest.mark.parametrize("folder", ["/simple/", "/simple", "/"])
def test_an_index_near_the_root_of_its_host_opens_nothing_else_there(
    tmp_path: Path, host: Host, path: str, folder: str
) -> None:
    with build(tmp_path, host.indexes(folder)) as asks:
        assert asks.status(path) == 403
    assert host.asked == []


LAYOUTS = {
    "beside, relative": ("/simple/", "../../packages/demo-1.whl", "/packages/demo-1.whl"),
    "artifactory, nexus": ("/api/pypi/r/simple/", "../../packages/7d/demo-1.whl", "/api/pypi/r/packages/7d/demo-1.whl"),
    "devpi": ("/root/dev/+simple/", "../../+f/0a/b/demo-1.whl", "/root/dev/+f/0a/b/demo-1.whl"),
    "devpi, of its base": ("/root/dev/+simple/", "../../../pypi/+f/demo-1.whl", "/root/pypi/+f/demo-1.whl"),
    "gitlab": ("/a/4/p/7/pypi/simple/", "http://{}/a/4/p/7/pypi/files/demo-1.whl", "/a/4/p/7/pypi/files/demo-1.whl"),
    "codeartifact": ("/pypi/r/simple/", "1.0/demo-1.whl", "/pypi/r/simple/demo/1.0/demo-1.whl"),
    "azure": ("/o/_packaging/f/pypi/simple/", "/o/7d/_packaging/7d/d/demo-1.whl", "/o/7d/_packaging/7d/d/demo-1.whl"),
    "at the root": ("/", "/files/demo-1.whl", "/files/demo-1.whl"),
    "with a query": ("/simple/", "/get/demo-1.whl?of=7d", "/get/demo-1.whl?of=7d"),
}  # fmt: skip


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize(("folder", "to", "file"), LAYOUTS.values(), ids=LAYOUTS)
def test_the_files_of_a_page_are_served_wherever_an_index_keeps_them(
    tmp_path: Path, host: Host, folder: str, to: str, file: str, as_json: bool
) -> None:
    to = to.format(host.address)
    page = json.dumps({"files": [{"filename": "demo-1.whl", "url": to}]}).encode() if as_json else link(to)
    host.pages[f"{folder}demo/"] = page
    metadata = file.replace(".whl", ".whl.metadata")
    with build(tmp_path, host.indexes(folder)) as asks:
        assert asks.status(f"{folder}demo/") == 200
        assert [asks.get(file), asks.get(metadata)] == [(200, b"bytes"), (200, b"bytes")]
    assert host.asked == [f"+{folder}demo/", f"+{file}", f"+{metadata}"]


@pytest.mark.parametrize(("folder", "to", "file"), LAYOUTS.values(), ids=LAYOUTS)
def test_a_lock_that_is_older_than_the_worker_still_leads_to_its_files(
    tmp_path: Path, host: Host, folder: str, to: str, file: str
) -> None:
    host.pages[f"{folder}demo/"] = link(to.format(host.address))
    with build(tmp_path, host.indexes(folder)) as asks:
        assert asks.status(file) == 200
        assert asks.status(file.replace("demo", "other")) == 403
    assert host.asked == [f"+{folder}demo/", f"+{file}", f"+{folder}other/"]


def test_a_file_is_served_to_other_builds_once_a_page_has_led_to_it(tmp_path: Path, host: Host) -> None:
    host.pages["/team/simple/far/"] = link("/7d/files/odd.whl")
    seen = Links()
    with build(tmp_path, host.indexes(), seen) as asks:
        assert asks.status("/team/simple/far/") == 200
    with build(tmp_path, host.indexes(), seen) as asks:
        assert asks.status("/7d/files/odd.whl") == 200
        assert asks.status("/7d/files/odd.whl.metadata") == 200
        assert asks.status("/7d/files/") == 403
    assert asks.refused == ["index-0.internal/7d/files/"]


def test_a_page_of_one_index_opens_nothing_to_another_one_s_credentials(tmp_path: Path, host: Host) -> None:
    host.pages["/team/simple/far/"] = link("/7d/files/far-1.whl")
    both = {
        "UV_DEFAULT_INDEX": f"http://reader:s3cret@{host.address}/team/simple/",
        "UV_INDEX": f"http://other:s3cret@{host.address}/other/simple/",
    }
    with build(tmp_path, discover(both, pip_options=dict)) as asks:
        assert asks.status("/team/simple/far/") == 200
        assert asks.status("/7d/files/far-1.whl", index=1) == 403
        assert asks.status("/7d/files/far-1.whl") == 200


@pytest.mark.parametrize("status", [401, 403, 404, 500])
def test_an_error_s_page_leads_nowhere(tmp_path: Path, host: Host, status: int) -> None:
    host.pages["/team/simple/far/"] = link("/7d/files/odd.whl")
    host.statuses["/team/simple/far/"] = status
    with build(tmp_path, host.indexes()) as asks:
        assert asks.status("/team/simple/far/") == status
        assert asks.status("/7d/files/odd.whl") == 403


@pytest.mark.parametrize("to", ["/admin/users", "/api/v1/token", "/7d/?file=far-1.whl", "/team/%252e%252e/far-1.whl"])
def test_a_page_opens_nothing_but_files_of_packages(tmp_path: Path, host: Host, to: str) -> None:
    host.pages["/team/simple/far/"] = link(to)
    with build(tmp_path, host.indexes()) as asks:
        assert asks.status("/team/simple/far/") == 200
        assert asks.status(to) == 403
    assert f"+{to}" not in host.asked


def test_a_file_that_looks_like_a_page_leads_nowhere(tmp_path: Path, host: Host) -> None:
    host.pages["/team/simple/far/"] = link("/7d/far-1.tar.gz")
    host.pages["/7d/far-1.tar.gz"] = link("/7d/other.whl")
    with build(tmp_path, host.indexes()) as asks:
        assert asks.status("/team/simple/far/") == 200
        assert asks.status("/7d/far-1.tar.gz") == 200
        assert asks.status("/7d/other.whl") == 403


@pytest.mark.parametrize(
    ("path", "to", "status", "then"),
    [
        ("/team/simple/Far", "/team/simple/far/", 200, ["+/team/simple/far/"]),
        ("/team/simple/far", "/team/simple/+simple/far/", 200, ["+/team/simple/+simple/far/"]),
        ("/team/simple/far/", "/api/key", 403, []),
        ("/team/simple/far/", "/team/simple/deep/api/key", 403, []),
        ("/team/simple/far/", "http://[::1]:9/", 403, []),
        ("/7d/a-1.whl", "/7d/b-1.whl", 200, ["+/7d/b-1.whl"]),
        ("/7d/a-1.whl", "/7d/c-1.whl", 403, []),
    ],
)
def test_a_redirect_leads_nowhere_that_could_not_be_asked_for(
    tmp_path: Path, host: Host, path: str, to: str, status: int, then: list[str]
) -> None:
    host.pages["/team/simple/some/"] = link("/7d/a-1.whl") + link("/7d/b-1.whl")
    host.redirects[path] = to
    with build(tmp_path, host.indexes()) as asks:
        asks.status("/team/simple/some/")
        assert asks.status(path) == status
    assert host.asked[1:] == [f"+{path}", *then]


def test_a_page_that_comes_from_another_host_leads_nowhere(tmp_path: Path, host: Host) -> None:
    host.pages["/7d/login/"] = link("/7d/odd.whl")
    host.redirects["/team/simple/far/"] = "https://127.0.0.1:9/login"
    with build(tmp_path, host.indexes()) as asks:
        assert asks.status("/team/simple/far/") == 502
        assert asks.status("/7d/odd.whl") == 403


@pytest.mark.parametrize("status", [429, 503])
def test_an_index_that_cannot_say_whether_it_has_a_file_has_failed(tmp_path: Path, host: Host, status: int) -> None:
    host.statuses["/team/simple/far/"] = status
    with build(tmp_path, host.indexes()) as asks:
        assert asks.status("/7d/far-1.whl") == 502
        assert asks.failures() == 1


HUGE = {
    "said beforehand": (link("a"), {"Content-Length": "2000000"}),
    "plain": (b" " * 2_000_000, {"Content-Length": "2000000"}),
    "without an end": (b'<a href="' + b"a" * 2_000_000, {"Content-Length": "2000009"}),
    "links": (link("/7d/a-1.whl") * 40_000, {}),
    "packed": (gzip.compress(b"<p>" + b" " * 5_000_000), {"Content-Encoding": "gzip"}),
    "packed twice": (gzip.compress(gzip.compress(bytes(100_000_000))), {"Content-Encoding": "gzip, gzip"}),
}  # fmt: skip


@pytest.mark.parametrize(("body", "headers"), HUGE.values(), ids=HUGE)
def test_a_page_that_never_seems_to_end_is_the_index_s_failure(
    tmp_path: Path, host: Host, body: bytes, headers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "LARGEST_PAGE", 1_000_000)
    monkeypatch.setattr("worker.index.signed.LARGEST_PAGE", 1_000_000)
    host.pages["/team/simple/far/"], host.headers["/team/simple/far/"] = body, headers
    with build(tmp_path, host.indexes()) as asks:
        with suppress(http.client.IncompleteRead):  # broken off
            assert asks.status("/team/simple/far/") == 502
        assert asks.failures() == asks.too_large() == 1
        assert asks.status("/team/simple/near/") == 200


def test_a_page_that_was_too_large_is_not_asked_for_again(
    tmp_path: Path, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.index.signed.LARGEST_PAGE", 1000)
    host.pages["/team/simple/far/"] = b" " * 1001
    host.headers["/team/simple/far/"] = {"Content-Length": "1001"}
    with build(tmp_path, host.indexes()) as asks:
        assert [asks.status("/team/simple/far/") for _ in range(3)] == [502, 502, 502]
        assert asks.too_large() == 3
    assert host.asked == ["+/team/simple/far/"]


def test_a_long_page_is_never_whole_in_memory(tmp_path: Path, host: Host) -> None:
    host.pages["/team/simple/far/"] = link("/7d/far-1.whl") + b" " * 30_000_000
    with build(tmp_path, host.indexes()) as asks, asks.answer("/team/simple/far/") as answer:
        tracemalloc.start()
        size = sum(map(len, iter(lambda: answer.read(64_000), b"")))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert size > 30_000_000
    assert peak < 10_000_000


def test_a_link_is_found_and_rewritten_wherever_a_page_is_cut(tmp_path: Path, host: Host) -> None:
    count = 5_000
    whole = [f"http://{host.address}/7d/demo-{number}.whl" for number in range(count)]
    host.pages["/team/simple/demo/"] = b"".join(map(link, whole))
    with build(tmp_path, host.indexes()) as asks:
        status, page = asks.get("/team/simple/demo/")
        assert status == 200
        assert page == b"".join(link(f"http://index-0.internal/7d/demo-{number}.whl") for number in range(count))
        assert asks.status(f"/7d/demo-{count - 1}.whl") == 200


def test_more_pages_than_are_read_at_once_are_all_answered(tmp_path: Path, host: Host) -> None:
    host.pages |= {f"/team/simple/p{number}/": link(f"p{number}-1.whl") for number in range(40)}
    with build(tmp_path, host.indexes()) as asks:
        statuses: list[int] = []
        threads = [
            threading.Thread(target=lambda n=number: statuses.append(asks.status(f"/team/simple/p{n}/")))
            for number in range(40)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert statuses == [200] * 40

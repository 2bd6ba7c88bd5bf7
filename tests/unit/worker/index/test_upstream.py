"""Where an index is, is looked up once for a while, and again as soon as nobody answers there."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3
from failing_index import failing_index

from worker.index.upstream import Upstream, pool

NOWHERE = "127.0.0.9"  # of the loopback network, and nobody listens


class Names:
    """A name server, and what it was asked."""

    def __init__(self, *places: str) -> None:
        self.places = places
        self.asked: list[str] = []

    def __call__(self, host: str) -> tuple[str, ...]:
        self.asked.append(host)
        return self.places


@pytest.fixture(autouse=True)
def _no_proxy_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0), backlog=16) as listener:
        yield listener.getsockname()[1]


def test_a_host_is_looked_up_once_for_a_while(port: int) -> None:
    now, names = [0.0], Names("127.0.0.1")
    upstream = Upstream(names, lambda: now[0])
    for now[0] in (0.0, 1.0, 59.0):
        upstream.connect("index.example", port).close()
    assert names.asked == ["index.example"]
    now[0] = 61.0
    upstream.connect("index.example", port).close()
    assert names.asked == ["index.example"] * 2


def test_each_host_has_its_own_place(port: int) -> None:
    names = Names("127.0.0.1")
    upstream = Upstream(names)
    upstream.connect("index.example", port).close()
    upstream.connect("files.example", port).close()
    assert names.asked == ["index.example", "files.example"]


def test_the_next_address_is_tried(port: int) -> None:
    with Upstream(Names(NOWHERE, "127.0.0.1")).connect("index.example", port) as connection:
        assert connection.getpeername()[0] == "127.0.0.1"


def test_the_address_that_answered_is_tried_first_from_then_on(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    upstream, tried = Upstream(Names(NOWHERE, "127.0.0.1")), list[str]()
    connect = socket.create_connection

    def watched(address: tuple[str, int], timeout: float) -> socket.socket:
        tried.append(address[0])
        return connect(address, timeout)

    monkeypatch.setattr(socket, "create_connection", watched)
    for _ in range(2):
        upstream.connect("index.example", port).close()
    assert tried == [NOWHERE, "127.0.0.1", "127.0.0.1"]


def test_a_host_that_moved_is_found_again(port: int) -> None:
    names = Names(NOWHERE)
    upstream = Upstream(names)
    with pytest.raises(ConnectionRefusedError):
        upstream.connect("index.example", port)
    names.places = ("127.0.0.1",)
    upstream.connect("index.example", port).close()


def test_a_host_without_an_address_is_an_error_that_passes(port: int) -> None:
    names = Names()
    upstream = Upstream(names)
    with pytest.raises(OSError, match=r"index\.example has no address"):
        upstream.connect("index.example", port)
    names.places = ("127.0.0.1",)
    upstream.connect("index.example", port).close()


def test_the_machines_own_names_are_known(port: int) -> None:
    Upstream().connect("localhost", port).close()


def test_a_name_that_does_not_exist_is_an_os_error() -> None:
    with pytest.raises(OSError, match=r"."):
        Upstream().connect("no-such-host.invalid", 443)


def test_the_way_leads_through_the_machines_proxy(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "ftp://proxy.example:1")
    with pytest.raises(OSError, match="only proxies at http://"):
        Upstream().connect("index.example", port)


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "PIP_CERT"])
def test_an_index_is_trusted_by_the_certificates_that_any_tool_is_told_of(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for other in ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "PIP_CERT"):
        monkeypatch.delenv(other, raising=False)
    bundle = tmp_path / "ca.pem"
    with failing_index(bundle) as address:
        with pytest.raises(urllib3.exceptions.MaxRetryError, match="certificate verify failed"):
            pool(None).request("GET", f"https://{address}/simple/demo/", retries=0)
        monkeypatch.setenv(name, str(bundle))
        assert pool(None).request("GET", f"https://{address}/simple/demo/").status == 200

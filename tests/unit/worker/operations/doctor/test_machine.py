"""What is said of a machine, and that no secret is in it."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.builds.conversation import BuildTrouble
from worker.builds.launcher import Walls
from worker.index.hosts import Indexes, PrivateIndex
from worker.operations.doctor import machine


@pytest.mark.parametrize(
    ("found", "wanted", "verdict", "told"),
    [
        (("3.11", "3.13"), None, "fine", "3.13, 3.11"),
        (("3.11", "3.13"), "3.11", "fine", "3.13, 3.11"),
        (("3.11",), "3.13", "broken", "this machine only has 3.11"),
        ((), None, "broken", "no Python"),
    ],
)
def test_interpreters(found: tuple[str, ...], wanted: str | None, verdict: str, told: str) -> None:
    finding = machine.pythons(found, wanted)
    assert (finding.verdict, told in finding.found) == (verdict, True)


def test_a_machine_without_bubblewrap_is_broken_and_told_what_to_install() -> None:
    finding = machine.sandbox("bubblewrap is not installed: `apt-get install bubblewrap`")
    assert (finding.verdict, "apt-get install" in finding.found) == ("broken", True)
    assert machine.sandbox(None).verdict == "fine"


def test_a_machine_whose_builders_do_not_answer_is_broken() -> None:
    finding = machine.builder_silent(BuildTrouble("no builder answers: it ended without a result"))
    assert (finding.verdict, "no builder answers" in finding.found) == ("broken", True)


@pytest.mark.parametrize(
    ("walls", "verdict", "told"),
    [
        (Walls(isolated=True, own_user=True), "fine", "a user and namespaces of its own"),
        (Walls(isolated=True, own_user=False), "warning", "under the worker's own user, as it is not root"),
        (Walls(isolated=False, own_user=False), "warning", "without isolation"),
    ],
)
def test_a_missing_wall_is_told(walls: Walls, verdict: str, told: str) -> None:
    finding = machine.walls(walls)
    assert (finding.verdict, told in finding.found) == (verdict, True)


def test_a_sandbox_that_is_off_is_a_warning() -> None:
    assert machine.sandbox(None, "off").verdict == "warning"


def test_a_missing_compiler_is_named() -> None:
    finding = machine.compiler(lambda name: None if name == "c++" else f"/usr/bin/{name}")
    assert (finding.verdict, finding.found.split(";")[0]) == ("warning", "missing: c++")
    assert machine.compiler(lambda name: f"/usr/bin/{name}").verdict == "fine"


@given(st.integers(0, 2**45))
def test_little_room_is_told(free: int) -> None:
    (finding,) = machine.disks([Path("/")], lambda _: free)
    assert finding.verdict == ("fine" if free >= machine.LITTLE else "warning")


def test_folders_of_one_file_system_are_one_disk_though_they_are_not_made_yet(tmp_path: Path) -> None:
    asked: list[Path] = []

    def free(folder: Path) -> int:
        asked.append(folder)
        return 2**40

    (finding,) = machine.disks([tmp_path / "cache", tmp_path / "cache" / "work"], free)
    assert asked == [tmp_path]
    assert str(tmp_path / "cache") in finding.found


PUBLIC = "https://index.example/simple"
PRIVATE = Indexes(
    (PUBLIC, "http://index-0.internal/team/simple/"),
    frozenset({"index.example:443"}),
    (PrivateIndex("index-0.internal", "https://private.example", "Basic c2VjcmV0"),),
)


@pytest.mark.parametrize(
    ("status", "verdict"), [(200, "fine"), (404, "fine"), (401, "broken"), (403, "broken"), (503, "broken")]
)
def test_indexes_are_asked_with_their_credentials_which_are_told_to_nobody(status: int, verdict: str) -> None:
    asked: list[tuple[str, str | None]] = []

    def get(url: str, headers: dict[str, str]) -> int:
        asked.append((url, headers.get("Authorization")))
        return status

    found = list(machine.indexes(PRIVATE, get))
    assert asked == [
        ("https://index.example/simple/pip/", None),
        ("https://private.example/team/simple/pip/", "Basic c2VjcmV0"),
    ]
    assert {finding.verdict for finding in found} == {verdict}
    assert "c2VjcmV0" not in repr(found)


def test_an_index_that_does_not_answer() -> None:
    def get(url: str, headers: dict[str, str]) -> int:
        raise TimeoutError("timed out")

    (finding,) = machine.indexes(Indexes((PUBLIC,), frozenset()), get)
    assert (finding.verdict, "timed out" in finding.found) == ("broken", True)


def test_nobody_listens_at_an_index() -> None:
    (finding,) = machine.indexes(Indexes(("http://127.0.0.1:9/simple",), frozenset()))
    assert finding.verdict == "broken"


@contextmanager
def answering(*lines: str) -> Iterator[tuple[str, list[str]]]:
    """A server that gives one answer to all, and what it was asked."""
    heard: list[str] = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while (line := self.rfile.readline().decode().strip()) != "":
                heard.append(line)
            self.wfile.write("\r\n".join((*lines, "", "")).encode())

    with socketserver.TCPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", heard
        server.shutdown()


def test_credentials_do_not_follow_a_redirect() -> None:
    ok = "HTTP/1.0 200 OK"
    with answering(ok) as (other, heard), answering("HTTP/1.0 302 Found", f"Location: {other}/") as (private, asked):
        index = PrivateIndex("index-0.internal", private, "Basic c2VjcmV0")
        found = Indexes(("http://index-0.internal/simple",), frozenset(), (index,))
        assert [finding.verdict for finding in machine.indexes(found)] == ["fine"]
    assert "authorization: basic c2vjcmv0" in [line.lower() for line in asked]
    assert heard == []


@pytest.mark.parametrize("answer", ["what?", "HTTP/1.0 abc"])
def test_an_index_that_answers_nonsense(answer: str) -> None:
    with answering(answer) as (url, _):
        (finding,) = machine.indexes(Indexes((url,), frozenset()))
    assert finding.verdict == "broken"


def test_an_address_that_is_none() -> None:
    (finding,) = machine.indexes(Indexes(("https://index.exam ple/simple",), frozenset()))
    assert finding.verdict == "broken"


def test_an_index_behind_a_proxy_is_asked_through_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering("HTTP/1.0 200 OK") as (proxy, asked):
        monkeypatch.setenv("HTTPS_PROXY", proxy.replace("//", "//me:word@"))
        monkeypatch.setenv("NO_PROXY", "")
        (finding,) = machine.indexes(Indexes(("http://index.example/simple",), frozenset()))
    assert finding.verdict == "fine"
    assert "proxy-authorization: basic bwu6d29yza==" in [line.lower() for line in asked]

"""What pages have led to is remembered for their own index, and as much of it as is bounded."""

from __future__ import annotations

import pytest

from worker.index import links
from worker.index.hosts import PrivateIndex
from worker.index.links import Links, projects

PRIVATE = PrivateIndex("index-0.internal", "https://index.example", "Basic eA==", "/team/simple/")


def test_files_of_other_hosts_are_not_the_index_s() -> None:
    known = Links()
    others = ["https://index.example.org/a.whl", "https://elsewhere.example/a.whl", "http://index.example/a.whl"]
    known.add(PRIVATE, others)
    assert not known.lead_to(PRIVATE, "/a.whl")


def test_files_of_one_index_are_not_those_of_another_on_the_same_host() -> None:
    known = Links()
    known.add(PRIVATE, ["https://index.example/a.whl"])
    other = PrivateIndex("index-1.internal", PRIVATE.base, "Basic eB==", "/other/simple/")
    assert known.lead_to(PRIVATE, "/a.whl")
    assert not known.lead_to(other, "/a.whl")


def test_only_files_of_packages_are_remembered() -> None:
    known = Links()
    known.add(PRIVATE, ["https://index.example/admin/users", "https://index.example/admin/a-1.tar.gz/users"])
    assert not known.lead_to(PRIVATE, "/admin/users")
    assert not known.lead_to(PRIVATE, "/admin/a-1.tar.gz/users")


def test_a_query_is_part_of_the_address() -> None:
    known = Links()
    known.add(PRIVATE, ["https://index.example/get/a-1.whl?of=a#sha256=0"])
    assert known.lead_to(PRIVATE, "/get/a-1.whl", "of=a")
    assert known.lead_to(PRIVATE, "/get/a-1.whl.metadata", "of=a")
    assert not known.lead_to(PRIVATE, "/get/a-1.whl", "of=../api/key")
    assert not known.lead_to(PRIVATE, "/get/a-1.whl")


def test_the_oldest_are_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "_MOST", 2)
    known = Links()
    for name in "abc":
        known.add(PRIVATE, [f"https://index.example/{name}.whl"])
    assert [known.lead_to(PRIVATE, f"/{name}.whl") for name in "abc"] == [False, True, True]


def test_long_addresses_take_the_room_of_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "_MOST_CHARACTERS", 25)
    known = Links()
    for name in ("a", "a", "long-name", "b"):
        known.add(PRIVATE, [f"https://index.example/{name}.whl"])
    assert [known.lead_to(PRIVATE, f"/{name}.whl") for name in ("a", "long-name", "b")] == [False, True, True]


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("/p/Zope.Interface-5.0-cp311-cp311-manylinux_2_17_x86_64.whl", ["zope-interface"]),
        ("/p/a_b-1.0-py3-none-any.whl.metadata", ["a-b"]),
        ("/p/python-dateutil-2.8.2.tar.gz", ["python-dateutil"]),
        ("/p/foo-1.0-1.zip", ["foo", "foo-1-0"]),
        ("/p/foo-v1.0.tgz", ["foo"]),
        ("/p/a%2Bb-1.0%2Blocal.tar.gz", ["a+b"]),
        ("/p/a-1-2-3-4-5-6.tar.gz", ["a", "a-1", "a-1-2"]),
        ("/admin/users", []),
        ("/admin/a-1.tar.gz/users", []),
        ("/p/.tar.gz", []),
    ],
)
def test_the_name_of_a_file_says_on_whose_page_it_is(path: str, names: list[str]) -> None:
    assert projects(path) == names

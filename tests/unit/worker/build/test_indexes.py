"""Where the indexes are, is read from the configuration that uv and pip themselves read."""

from __future__ import annotations

from worker.build.indexes import discover


def test_the_default_index_comes_from_pip_itself() -> None:
    found = discover({"PIP_CONFIG_FILE": "/dev/null"})
    assert len(found.urls) == 1
    assert len(found.reachable) == 2, "the index and the host that its files are on"
    assert all(pair.endswith(":443") for pair in found.reachable)


def test_environment_wins_over_configuration() -> None:
    found = discover({"UV_DEFAULT_INDEX": "https://one.example/simple", "PIP_INDEX_URL": "https://two.example/simple"})
    assert found.urls[0] == "https://one.example/simple"
    assert "one.example:443" in found.reachable
    assert "two.example:443" not in found.reachable


def test_extra_indexes_and_hosts_are_reachable() -> None:
    found = discover(
        {
            "UV_DEFAULT_INDEX": "https://one.example/simple",
            "PIP_EXTRA_INDEX_URL": "https://two.example:8443/simple http://three.example/simple",
        },
        extra_hosts=["files.example", "other.example:8080"],
    )
    assert found.reachable >= {
        "one.example:443", "two.example:8443", "three.example:80", "files.example:443", "other.example:8080",
    }  # fmt: skip


def test_credentials_leave_neither_in_addresses_nor_in_the_environment() -> None:
    found = discover({"UV_DEFAULT_INDEX": "https://user:pa%40ss@private.example/simple"})
    assert found.private[0].base == "https://private.example"
    assert found.private[0].authorization == "Basic dXNlcjpwYUBzcw=="
    assert "pa%40ss" not in str(found.environment())
    assert found.environment()["UV_INSECURE_HOST"] == "index-0.internal"

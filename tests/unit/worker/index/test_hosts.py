"""Where the indexes are, is read from the configuration that uv and pip themselves read."""

from __future__ import annotations

from pathlib import Path

import pytest

from auto_lambda.index_settings import names_index
from worker.index.hosts import PrivateIndex, discover


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


def test_pips_names_for_the_indexes_count_where_uvs_own_are_missing() -> None:
    pips = {"PIP_INDEX_URL": "https://p.example/simple", "PIP_EXTRA_INDEX_URL": "https://e.example/simple"}
    told = discover(pips).environment()
    assert (told["UV_DEFAULT_INDEX"], told["UV_INDEX"]) == ("https://p.example/simple", "https://e.example/simple")
    told = discover({**pips, "UV_INDEX_URL": "https://u.example/simple"}).environment()
    assert told["UV_DEFAULT_INDEX"] == told["PIP_INDEX_URL"] == "https://u.example/simple"


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


def test_a_named_index_has_its_credentials_in_variables_of_its_name() -> None:
    found = discover(
        {
            "UV_DEFAULT_INDEX": "https://one.example/simple",
            "UV_INDEX": "in-house=https://two.example/simple",
            "UV_INDEX_IN_HOUSE_USERNAME": "user",
            "UV_INDEX_IN_HOUSE_PASSWORD": "pa@ss",
        }
    )
    assert found.private[0].authorization == "Basic dXNlcjpwYUBzcw=="
    assert found.environment()["UV_INDEX"] == "in-house=http://index-0.internal/simple"
    assert found.environment()["PIP_EXTRA_INDEX_URL"] == "http://index-0.internal/simple"
    assert "two.example:443" not in found.reachable


def test_netrc_has_credentials_too(tmp_path: Path) -> None:
    (tmp_path / "netrc").write_text("machine one.example login user password pa@ss\n")
    found = discover({"UV_DEFAULT_INDEX": "https://one.example/simple", "NETRC": str(tmp_path / "netrc")})
    assert found.private[0].authorization == "Basic dXNlcjpwYUBzcw=="


def test_uvs_own_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "uv.toml").write_text(
        '[[index]]\nname = "inner"\nurl = "https://one.example/simple"\n'
        '[[index]]\nurl = "https://two.example/simple"\ndefault = true\n'
    )
    found = discover({"UV_CONFIG_FILE": str(tmp_path / "uv.toml"), "PIP_CONFIG_FILE": "/dev/null"})
    assert found.urls == ("https://two.example/simple", "https://one.example/simple")
    assert found.environment()["UV_INDEX"] == "inner=https://one.example/simple"


@pytest.mark.parametrize(
    "name",
    ["UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_MINE_PASSWORD", "PIP_INDEX_URL",
     "PIP_EXTRA_INDEX_URL", "PIP_PROXY", "UV_FIND_LINKS", "NETRC", "UV_KEYRING_PROVIDER", "HTTPS_PROXY", "https_proxy",
     "UV_PUBLISH_TOKEN", "TWINE_PASSWORD"],
)  # fmt: skip
def test_variables_that_may_hold_credentials_are_known(name: str) -> None:
    assert names_index(name)


@pytest.mark.parametrize("name", ["PATH", "SSL_CERT_FILE", "PIP_CERT", "UV_INDEX_STRATEGY", "UV_CACHE_DIR"])
def test_others_are_passed_on(name: str) -> None:
    assert not names_index(name)


@pytest.mark.parametrize(
    ("configured", "folder"),
    [
        ("https://u:p@index.example/simple", "/simple/"),
        ("https://u:p@index.example/", "/"),
        ("https://u:p@index.example/artifactory/api/pypi/repo/simple/", "/artifactory/api/pypi/repo/simple/"),
        ("https://u:p@index.example/root/pypi/+simple/", "/root/pypi/+simple/"),
        ("https://u:p@index.example/team/index", "/team/index/"),
    ],
)
def test_the_address_of_an_index_is_the_folder_of_its_pages(configured: str, folder: str) -> None:
    (private,) = discover({"UV_DEFAULT_INDEX": configured}, pip_options=dict).private
    assert private.folder == folder


@pytest.mark.parametrize(
    ("path", "is_page"),
    [
        ("/team/index/six/", True),
        ("/team/index/six", True),
        ("/team/index/Zope.Interface_x-y/", True),
        ("/team/index/", True),
        ("/team/index//", False),
        ("/team/index", False),
        ("/team/index/six/1.0/", False),
        ("/team/index/a%20b/", False),
        ("/team/index/../", False),
        ("/team/index/%2e%2e/", False),
        ("/team/indexes/", False),
        ("/team/", False),
        ("/TEAM/index/six/", False),
        ("/", False),
    ],
)
def test_only_the_pages_of_projects_are_pages(path: str, is_page: bool) -> None:
    index = PrivateIndex("index-0.internal", "https://index.example", "Basic eA==", "/team/index/")
    assert index.has_page(path) is is_page


@pytest.mark.parametrize("path", ["/admin/users", "/api/v1/token", "/other-team/simple/x", "//", "/simple/six/"])
def test_an_index_at_the_root_of_its_host_has_no_page_below_another(path: str) -> None:
    assert not PrivateIndex("index-0.internal", "https://index.example", "Basic eA==", "/").has_page(path)


@pytest.mark.parametrize(
    ("path", "held"),
    [
        ("/team/index/simple/six/", True),
        ("/team/index/files/a%20b-1.0.whl", True),
        ("/team/indexes/simple", False),
        ("/api/security/apiKey", False),
        ("/team/index/../../api/security/apiKey", False),
        ("/team/index/%2e%2e/%2E%2e/api", False),
        ("/team/index/%252e%252e/api", False),
        ("/team/index/..%2fapi", False),
        ("/team/index/..%5c..%5capi", False),
        ("//api/security", False),
        ("/TEAM/index/simple", False),
        ("/team/index/./x", False),
        ("/team/index/%0d%0aX: y", False),
    ],
)
def test_nothing_else_of_a_private_host_is_asked_for(path: str, held: bool) -> None:
    index = PrivateIndex("index-0.internal", "https://index.example", "Basic eA==", "/team/index/")
    assert index.holds(path) is held

"""Of the worker's environment, a build gets what tells uv how to ask an index, and nothing that names one."""

from __future__ import annotations

import pytest

from auto_lambda.index_settings import build_settings, certificates


def test_only_settings_of_the_way_to_an_index_reach_a_build() -> None:
    ours = {"SSL_CERT_FILE": "/c", "PIP_CERT": "/c", "UV_INDEX_STRATEGY": "x", "UV_HTTP_TIMEOUT": "9"}
    named = {"UV_DEFAULT_INDEX": "https://a", "UV_INDEX_CORP_PASSWORD": "p", "HTTPS_PROXY": "x", "PIP_INDEX_URL": "b"}
    others = {"AWS_SECRET_ACCESS_KEY": "s", "PATH": "/bin", "UV_PYTHON": "x", "UV_CACHE_DIR": "/c", "HOME": "/h"}
    assert build_settings({**ours, **named, **others}) == ours


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "PIP_CERT"])
def test_uv_trusts_what_another_tool_is_told_to_trust(name: str) -> None:
    assert certificates({name: "/ca.pem", "SSL_CERT_FILE": ""}) == {"SSL_CERT_FILE": "/ca.pem"}
    assert build_settings({name: "/ca.pem"}) == {name: "/ca.pem", "SSL_CERT_FILE": "/ca.pem"}


@pytest.mark.parametrize("told", ["SSL_CERT_FILE", "SSL_CERT_DIR", "UV_SYSTEM_CERTS"])
def test_what_uv_is_told_itself_counts(told: str) -> None:
    assert certificates({told: "1", "PIP_CERT": "/ca.pem"}) == {}
    assert certificates({}) == {}

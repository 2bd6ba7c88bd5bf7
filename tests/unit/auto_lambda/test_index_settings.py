"""Of the worker's environment, a build gets what tells uv how to ask an index, and nothing that names one."""

from __future__ import annotations

from auto_lambda.index_settings import build_settings


def test_only_settings_of_the_way_to_an_index_reach_a_build() -> None:
    ours = {"SSL_CERT_FILE": "/c", "PIP_CERT": "/c", "UV_INDEX_STRATEGY": "x", "UV_HTTP_TIMEOUT": "9"}
    named = {"UV_DEFAULT_INDEX": "https://a", "UV_INDEX_CORP_PASSWORD": "p", "HTTPS_PROXY": "x", "PIP_INDEX_URL": "b"}
    others = {"AWS_SECRET_ACCESS_KEY": "s", "PATH": "/bin", "UV_PYTHON": "x", "UV_CACHE_DIR": "/c", "HOME": "/h"}
    assert build_settings({**ours, **named, **others}) == ours

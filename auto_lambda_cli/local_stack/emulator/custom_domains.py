"""Tells the tags of custom domains, which the emulator keeps elsewhere for those of HTTP APIs."""

from __future__ import annotations

import json
from typing import Any


def patch() -> None:
    """Complete what GetDomainName of the REST API answers, which knows both kinds."""
    from ministack.core.responses import get_region  # type: ignore[import-not-found,unused-ignore]
    from ministack.services import apigateway_v1 as apis  # type: ignore[import-not-found,unused-ignore]

    get = apis._get_domain_name

    def get_domain_name(name: str) -> Any:
        status, headers, body = get(name)
        if status != 200:
            return status, headers, body
        kept = apis._v1_tags.get(f"arn:aws:apigateway:{get_region()}::/domainnames/{name}")
        return status, headers, with_tags(body, kept or {})

    apis._get_domain_name = get_domain_name


def with_tags(body: bytes, kept: dict[str, str]) -> bytes:
    """Return an answer with the tags that are kept elsewhere as well."""
    domain = json.loads(body)
    return json.dumps({**domain, "tags": {**domain.get("tags", {}), **kept}}).encode()

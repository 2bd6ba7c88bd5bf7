from __future__ import annotations

from typing import Any

import pytest

from builder.frameworks.domains import read_domain
from builder.protocol.messages import DomainMessage

ARN = "arn:aws:acm:us-east-1:123456789012:certificate/0123-abcd"


def test_a_domain_with_everything() -> None:
    found = read_domain("domain", "Shop.Example.com.", ARN, "/v1/", sockets=True)
    assert found == (DomainMessage(name="shop.example.com", certificate_arn=ARN, base_path="v1", sockets=True), None)


@pytest.mark.parametrize("path", [None, "", "/", "(none)"])
def test_the_root_is_no_base_path(path: Any) -> None:
    assert read_domain("domain", "shop.example.com", None, path) == (DomainMessage(name="shop.example.com"), None)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("https://shop.example.com",), "name"), ((7,), "name"), (("*.example.com",), "name"), (("a" * 300,), "name"),
        (("shop.example.com", "x"), "certificate_arn"), (("shop.example.com", ARN, "a/b"), "base_path"),
        (("shop.example.com", {"Ref": "x"}, 7), "base_path, certificate_arn"),
    ],
    ids=str,
)  # fmt: skip
def test_what_no_api_could_have_is_a_warning(given: tuple[Any, ...], said: str) -> None:
    assert read_domain("domain", *given) == (
        None,
        f"the domain of domain is not mapped to the app: its {said} cannot be used",
    )

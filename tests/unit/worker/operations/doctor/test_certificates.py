"""uv itself is asked whether it trusts an index, and whose certificate it does not trust is told."""

from __future__ import annotations

import os
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
import trustme
from company_index import company_index

from worker.index.hosts import Indexes, PrivateIndex
from worker.operations.doctor.certificates import ask_uv, certificates

AUTHORITY = trustme.CA(organization_name="Example Proxy Ltd")


class Refusing(BaseHTTPRequestHandler):
    """An index that wants credentials."""

    def do_GET(self) -> None:
        self.send_error(401)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A server whose certificate an authority of the company has issued."""
    with company_index(Refusing, AUTHORITY) as address:
        yield address


def test_an_untrusted_certificate_is_told_with_its_issuer(address: str) -> None:
    (finding,) = certificates(Indexes((address,), frozenset()))
    assert (finding.what, finding.verdict) == ("certificates", "broken")
    assert "organizationName=Example Proxy Ltd" in finding.found
    assert "CA_CERTIFICATES" in str(finding.advice)


def test_a_certificate_of_the_companys_is_trusted_once_it_is_set(address: str, tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    AUTHORITY.cert_pem.write_to_path(str(bundle))
    assert ask_uv(address, dict(os.environ)) is not None
    assert ask_uv(address, {**os.environ, "SSL_CERT_FILE": str(bundle)}) is None


def test_a_private_index_is_asked_at_its_real_address_without_credentials() -> None:
    asked: list[str] = []
    private = PrivateIndex("index-0.internal", "https://packages.example", "Basic c2VjcmV0", "/")
    found = Indexes(("http://index-0.internal/simple", "http://plain.example/simple"), frozenset(), (private,))
    (finding,) = certificates(found, lambda url: asked.append(url))
    assert asked == ["https://packages.example/simple"]
    assert finding.verdict == "fine"


def test_an_index_that_nobody_answers_is_left_to_the_other_check() -> None:
    (finding,) = certificates(Indexes(("https://127.0.0.1:9/simple",), frozenset()))
    assert finding.verdict == "fine"

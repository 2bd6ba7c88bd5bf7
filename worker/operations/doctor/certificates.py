"""Checks that uv trusts the certificates of the package indexes: it brings authorities of its own."""

from __future__ import annotations

import os
import ssl
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from auto_lambda.index_settings import build_settings
from auto_lambda.processes import programs
from auto_lambda.tools import uv_executable
from worker.index.hosts import Indexes
from worker.index.upstream import Upstream
from worker.operations.doctor.finding import Finding

_SECONDS = 60.0
_PASSED_ON = ("HOME", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "NO_PROXY", "no_proxy")
_ADVICE = (
    "Give uv the certificate of that authority: the parameter CA_CERTIFICATES of the fleet's settings, or "
    "SSL_CERT_FILE. If the system trusts it already, UV_SYSTEM_CERTS=true is enough."
)

Ask = Callable[[str], str | None]
"""Asks an index with uv, and returns what uv says if it does not trust the certificate."""


def certificates(found: Indexes, ask: Ask | None = None) -> Iterator[Finding]:
    """Check each index that has a certificate.

    Args:
        found: the indexes of this machine.
        ask: by default uv itself, with the settings that builds have.
    """
    private = {one.alias: one.base for one in found.private}
    for url in found.urls:
        parts = urlsplit(url)
        address = private.get(parts.hostname or "", f"{parts.scheme}://{parts.netloc}") + parts.path
        if address.startswith("https:"):
            yield _certificate(address, ask or (lambda it: ask_uv(it, os.environ)))


def _certificate(address: str, ask: Ask) -> Finding:
    if not (refusal := ask(address)):
        return Finding("certificates", "fine", f"uv trusts {address}")
    issuer = issuer_of(urlsplit(address))
    whose = f"its certificate was issued by {issuer}" if issuer else "its certificate cannot be read"
    return Finding("certificates", "broken", f"uv does not trust {address}: {refusal}; {whose}", _ADVICE)


def ask_uv(address: str, environ: Mapping[str, str]) -> str | None:
    """Ask an index for a project with uv; return why it does not trust the index, None for any other answer.

    No credentials are sent: an index that refuses has shown its certificate.
    """
    passed_on = {name: environ[name] for name in _PASSED_ON if name in environ}
    told = {
        "UV_DEFAULT_INDEX": address,
        "UV_NO_CONFIG": "1",
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_NO_CACHE": "1",
        "UV_HTTP_RETRIES": "0",
    }
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder, "requirements.in")
        wanted.write_text("pip\n")
        command = [uv_executable(), "pip", "compile", "--no-deps", "--quiet", str(wanted)]
        environment = {**programs.FIXED, **passed_on, **build_settings(environ), **told}
        try:
            done = programs.run(command, environment, timeout=_SECONDS)
        except programs.ProgramFailed:
            return None  # it does not answer, which another check tells
    lines = (line.strip(" │╰─▶├") for line in done.stderr.splitlines())
    return next((line for line in lines if "certificate" in line.lower()), None) if done.returncode else None


def issuer_of(address: SplitResult, upstream: Upstream | None = None) -> str | None:
    """Return the issuer of a server's certificate, whether it is trusted or not; None if the server shows none."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    host = address.hostname or ""
    try:
        with (upstream or Upstream()).connect(host, address.port or 443) as plain:
            plain.settimeout(_SECONDS)
            with context.wrap_socket(plain, server_hostname=host) as secured:
                shown = secured.getpeercert(binary_form=True)
    except OSError:
        return None
    return _issuer(shown) if shown else None


def _issuer(shown: bytes) -> str:
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
        file.write(ssl.DER_cert_to_PEM_cert(shown))
        file.flush()
        # The only decoder of the standard library for a certificate that was not verified.
        decoded = ssl._ssl._test_decode_cert(file.name)  # type: ignore[attr-defined]
    return ", ".join(f"{name}={value}" for part in decoded["issuer"] for name, value in part)

"""A plain script for inside the sandbox: fetch one file, through whatever way out there is.

``python -I download.py URL TO MAX_BYTES``. The environment says what uv and pip are told: certificates, proxies and,
where nothing hides them, an index with credentials. Who called checks the hash. It ends with 75 when the index or the
way to it failed, so that another try may work, and with 1 when the index refused.
"""

from __future__ import annotations

import base64
import http.client
import os
import ssl
import sys
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import unquote, urlsplit

_INDEXES = ("UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL")
_INDEX_FAILED = 75  # sysexits.h, EX_TEMPFAIL
_TOO_MANY_REQUESTS, _SERVER_ERROR = 429, 500
_REFUSED = "Tunnel connection failed: 403"  # by our proxy, in http.client's words: there is no type for it
_CERTIFICATES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT")


def _authorization(url: str) -> str | None:
    wanted = urlsplit(url)
    for word in " ".join(os.environ.get(name, "") for name in _INDEXES).split():
        index = urlsplit(word[word.find("=") + 1 :] if "=" in word.partition("://")[0] else word)
        if index.username and (index.hostname, index.port) == (wanted.hostname, wanted.port):
            pair = f"{unquote(index.username)}:{unquote(index.password or '')}"
            return "Basic " + base64.b64encode(pair.encode()).decode()
    return None


def main(url: str, to: str, max_bytes: int) -> None:
    """Fetch, at most ``max_bytes`` and one more, so that too much is seen."""
    if urlsplit(url).scheme not in ("http", "https"):
        raise SystemExit(f"not an address to fetch from: {url}")
    request = urllib.request.Request(url)  # noqa: S310
    if authorization := _authorization(url):
        request.add_unredirected_header("Authorization", authorization)
    certificates = next((os.environ[name] for name in _CERTIFICATES if os.environ.get(name)), None)
    context = ssl.create_default_context(cafile=certificates)
    left = max_bytes + 1
    with urllib.request.urlopen(request, timeout=60, context=context) as answer, Path(to).open("wb") as file:  # noqa: S310
        while left and (data := answer.read(min(left, 65536))):
            file.write(data)
            left -= len(data)
        promised = int(answer.headers.get("Content-Length") or 0)
        if left and promised > max_bytes + 1 - left:  # reading piece by piece does not tell
            raise http.client.IncompleteRead(b"", promised)


def _index_failed(error: Exception) -> bool:
    if isinstance(error, urllib.error.HTTPError):
        return error.code == _TOO_MANY_REQUESTS or error.code >= _SERVER_ERROR
    if isinstance(error, http.client.InvalidURL):
        return False
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    return not str(reason).startswith(_REFUSED)


if __name__ == "__main__":
    try:
        main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
    except (OSError, http.client.HTTPException) as error:
        sys.stderr.write(f"{type(error).__name__}: {error}"[:500])
        sys.exit(_INDEX_FAILED if _index_failed(error) else 1)

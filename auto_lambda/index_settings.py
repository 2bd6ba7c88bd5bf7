"""Which environment variables concern package indexes, and which of those a build may see."""

from __future__ import annotations

import re
from collections.abc import Mapping

# Whatever may hold an index's address or a way to its credentials. How uv chooses between indexes is no secret.
_TELLING = re.compile(
    r"UV_(?!INDEX_STRATEGY$)(DEFAULT_INDEX|INDEX|EXTRA_INDEX|FIND_LINKS|INSECURE_HOST|KEYRING|PUBLISH|CONFIG_FILE)\w*"
    r"|PIP_(?!CERT$)\w+|TWINE_\w+|NETRC|\w+_PROXY",
    re.IGNORECASE,
)
_PASSED_ON = re.compile(
    r"UV_(INDEX_STRATEGY|HTTP_\w*|REQUEST_\w*|NATIVE_TLS|SYSTEM_CERTS|EXCLUDE_NEWER|CONCURRENT_\w*|OFFLINE)"
    r"|PIP_CERT|SSL_CERT_(FILE|DIR)|REQUESTS_CA_BUNDLE"
)

_TRUSTED_BY_UV = ("SSL_CERT_FILE", "SSL_CERT_DIR", "UV_SYSTEM_CERTS", "UV_NATIVE_TLS")


def names_index(name: str) -> bool:
    """Tell whether a variable may hold an index's address or credentials: none such may reach a build."""
    return bool(_TELLING.fullmatch(name))


def build_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the settings of uv that a build gets: time-outs, certificates, strategy; none that names an index."""
    told = {name: value for name, value in environ.items() if _PASSED_ON.fullmatch(name)}
    return {**told, **certificates(environ)}


def certificates(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variable by which uv trusts what pip or requests are told to trust; nothing if uv is told itself."""
    if any(environ.get(name) for name in _TRUSTED_BY_UV):
        return {}
    found = next((path for name in ("REQUESTS_CA_BUNDLE", "PIP_CERT") if (path := environ.get(name))), None)
    return {"SSL_CERT_FILE": found} if found else {}
